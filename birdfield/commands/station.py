"""What a scene goes through while it is watched: recorder, sign of life, view."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from birdfield.capture.microphone import Microphone
from birdfield.errors import UsageError
from birdfield.journal.opening import open_journal, reading
from birdfield.journal.retention import KEEP_BEST, KEEP_FREE_BYTES, Retention
from birdfield.model.encoder import Encoder
from birdfield.model.names import Names
from birdfield.recognise.observation import Observation
from birdfield.service.liveness import LivenessMonitor, stall_timeout_s
from birdfield.service.process import start_ticks
from birdfield.service.sd_notify import service_notifier
from birdfield.service.status import initial_status
from birdfield.service.status_files import status_folder
from birdfield.settings.resolve import ResolvedSettings
from birdfield.view.sound_meter import MeteredMicrophone
from birdfield.view.state import View
from birdfield.view.terminal import can_show, show_view
from birdfield.watch.recogniser import Recogniser
from birdfield.watch.recorder import Recorder, RecorderSettings
from birdfield.watch.scene import SceneWatcher
from birdfield.watch.sources import SourceInfo
from birdfield.watch.visits import GAP_S

log = logging.getLogger(__name__)

OF_JOURNAL = {
    "--gap": "journal.gap_s",
    "--quiet": "quiet.hours",
    "--keep-voices": "journal.keep_voices",
    "--keep-best": "journal.keep_best",
    "--keep-days": "journal.keep_days",
    "--keep-gb": "journal.keep_gb",
    "--keep-free-gb": "journal.keep_free_gb",
}


def settings_of(choice: ResolvedSettings) -> RecorderSettings:
    """Gather what a user chose of a journal; None is the default.

    Raises:
        UsageError: When a flag is of a journal, and there is none.
    """
    journal = choice.settings.journal
    stray = [option for option, key in OF_JOURNAL.items() if key in choice.overridden]
    if stray and journal.folder is None:
        raise UsageError(f"{stray[0]} is of a journal; add --journal DIR")
    # Made again with the model's species, but refused before the model is opened.
    choice.quiet("--quiet")
    return RecorderSettings(
        GAP_S if journal.gap_s is None else journal.gap_s,
        journal.keep_voices,
        retention_of(choice),
    )


def retention_of(choice: ResolvedSettings) -> Retention:
    """Gather how much evidence a user wants kept."""
    journal = choice.settings.journal
    return Retention(
        journal.keep_days,
        None if journal.keep_gb is None else round(journal.keep_gb * 1e9),
        KEEP_FREE_BYTES if journal.keep_free_gb is None else round(journal.keep_free_gb * 1e9),
        KEEP_BEST if journal.keep_best is None else journal.keep_best,
    )


def open_recorder(
    folder: Path, settings: RecorderSettings, recogniser: Recogniser, sources: SourceInfo
) -> Recorder:
    """Open a journal for a scene that is about to be watched."""
    if os.geteuid() == 0:
        log.warning("this is root, which a station does not need; run it as an ordinary user")
    recorder = Recorder(open_journal(folder), recogniser, sources, settings)
    recorder.start(datetime.now(UTC))
    return recorder


def open_liveness(model_id: str, sources: SourceInfo, journal: Path | None) -> LivenessMonitor:
    """Start the liveness monitor; raises UsageError when its timeout is not a number."""
    pid = os.getpid()
    status = initial_status(model_id, sources, journal, pid, start_ticks(pid))
    return LivenessMonitor(service_notifier(), status_folder(), status, stall_timeout_s())


def can_view(json_lines: bool) -> bool:
    """Tell whether to show a view: on a terminal, unless JSON is wanted."""
    return not json_lines and can_show(sys.stdout)


def metered(microphone: Microphone | None, encoder: Encoder) -> MeteredMicrophone | None:
    """Measure a microphone for a view."""
    return MeteredMicrophone(microphone, encoder.audio_spec.rate_hz) if microphone else None


def view_scene(
    scene: SceneWatcher,
    model: str,
    meter: MeteredMicrophone | None,
    recorder: Recorder | None,
    liveness: LivenessMonitor,
    folder: Path | None,
    names: Names,
) -> None:
    """Show a scene on the terminal while it is recorded and monitored."""
    with ExitStack() as stack:
        journal = stack.enter_context(reading(folder)) if folder else None
        view = View(scene, model, meter, journal, names)
        show_view(view, recorded(scene, recorder, liveness, view))


def recorded(
    scene: SceneWatcher,
    recorder: Recorder | None,
    liveness: LivenessMonitor,
    view: View | None = None,
) -> Iterator[Observation]:
    """Yield a scene's observations while it is recorded and monitored."""
    try:
        for window in (view or scene).windows():
            if recorder is not None:
                recorder.add(window)
            if window.observation is not None:
                yield window.observation
            liveness.tick(window, scene.dropped, recorder.written if recorder else 0)
    finally:
        if recorder is not None:
            recorder.close()
        liveness.close()
