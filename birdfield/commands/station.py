"""Station: runs a watch with its recorder, its liveness monitor and its view."""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from birdfield.capture.camera import open_camera
from birdfield.capture.microphone import Microphone, open_microphone
from birdfield.commands.console import show_watch
from birdfield.commands.station_check import check_station
from birdfield.errors import UsageError
from birdfield.journal.opening import open_journal, reading
from birdfield.journal.retention import Retention
from birdfield.model.encoder import Encoder
from birdfield.recognise.observation import Observation
from birdfield.service.liveness import LivenessMonitor, stall_timeout_s
from birdfield.service.process import start_ticks
from birdfield.service.sd_notify import service_notifier
from birdfield.service.status import initial_status
from birdfield.service.status_files import status_folder
from birdfield.settings.resolve import ResolvedSettings
from birdfield.view.sound_meter import MeteredMicrophone
from birdfield.view.state import View
from birdfield.view.terminal import can_show, end_with_terminal, show_view
from birdfield.watch.recogniser import Recogniser
from birdfield.watch.recorder import Recorder, RecorderSettings
from birdfield.watch.scene import SceneWatcher
from birdfield.watch.scene_start import find_start
from birdfield.watch.sources import SourceInfo, Sources

log = logging.getLogger(__name__)

JOURNAL_OPTIONS = {
    "--gap": "journal.gap_s",
    "--quiet": "quiet.hours",
    "--keep-voices": "journal.keep_voices",
    "--keep-best": "journal.keep_best",
    "--keep-days": "journal.keep_days",
    "--keep-gb": "journal.keep_gb",
    "--keep-free-gb": "journal.keep_free_gb",
}


@dataclass(frozen=True)
class Station:
    """A running watch.

    Attributes:
        scene: Yields windows with their observations.
        recorder: Writes visits to the journal; None without one.
        liveness: Reports that the analysis makes progress.
    """

    scene: SceneWatcher
    recorder: Recorder | None
    liveness: LivenessMonitor

    def observations(self, view: View | None = None) -> Iterator[Observation]:
        """Yield the observations while they are recorded and monitored."""
        recorder = self.recorder
        try:
            for window in (view or self.scene).windows():
                if recorder is not None:
                    recorder.add(window)
                if window.observation is not None:
                    yield window.observation
                written = recorder.written if recorder else 0
                self.liveness.tick(window, self.scene.dropped, written)
        finally:
            if recorder is not None:
                recorder.close()
            self.liveness.close()


def run_station(
    choice: ResolvedSettings, fast: bool, json_lines: bool, start: datetime | None = None
) -> None:
    """Watch until the sources end or a signal arrives.

    Args:
        choice: The settings.
        fast: Whether to process files as fast as possible.
        json_lines: Whether to print JSON lines; else a terminal shows a view.
        start: The aware time at which the files of the scene were recorded, by the user.
    """
    # Lost and recovered sources are logged as INFO, and a person at the terminal needs them.
    if not log.isEnabledFor(logging.INFO):
        logging.getLogger("birdfield").setLevel(logging.INFO)
    settings, folder = recorder_settings(choice), choice.settings.journal.folder
    bundle, encoder, gallery = check_station(choice)
    names = choice.names(gallery.species)
    viewing = not json_lines and can_show(sys.stdout)
    with ExitStack() as stack:
        rules = stack.enter_context(choice.followed(gallery.species))
        sources, meter = open_sources(stack, choice, encoder, viewing)
        recogniser = Recogniser(encoder, gallery, bundle.model_id, rules, bundle.crop_margin)
        found = find_start(sources, start)
        scene = SceneWatcher(recogniser, sources, fast, found)
        if folder and fast and found is not None and found.source is None:
            log.warning(
                "nothing states when the files were recorded; visits get times as if the recording "
                "ended when its file was last changed: give its start with --start TIME"
            )
        encoder.load(sources.camera is not None, sources.microphone is not None)
        _stop_on_signals(scene)
        recorder = (
            open_recorder(folder, settings, recogniser, sources.info, scene.began)
            if folder
            else None
        )
        liveness = open_liveness(bundle.model_id, sources.info, folder)
        station = Station(scene, recorder, liveness)
        if viewing:
            journal = stack.enter_context(reading(folder)) if folder else None
            view = View(scene, bundle.folder.name, meter, journal, names)
            show_view(view, station.observations(view))
        else:
            show_watch(station.observations(), bundle.model_id, json_lines, names)


def open_sources(
    stack: ExitStack, choice: ResolvedSettings, encoder: Encoder, metered: bool
) -> tuple[Sources, MeteredMicrophone | None]:
    """Open the camera and the microphone; the stack closes them.

    Args:
        stack: Closes the sources.
        choice: The settings.
        encoder: The encoder of the model.
        metered: Whether to measure the level of the microphone.

    Returns:
        The sources, and the microphone with its level, if there is one.
    """
    watch = choice.settings.watch
    camera = open_camera(watch.camera, watch.crop, choice.latency.frames_wait_s, watch.blank or ())
    if camera is not None:
        stack.enter_context(closing(camera))
    microphone: Microphone | None = open_microphone(watch.microphone, encoder.audio_spec.rate_hz)
    meter = None
    if microphone is not None and metered:
        microphone = meter = MeteredMicrophone(microphone, encoder.audio_spec.rate_hz)
    if microphone is not None:
        stack.enter_context(closing(microphone))
    return Sources(camera, microphone, choice.latency), meter


def _stop_on_signals(scene: SceneWatcher) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: scene.stop())
    end_with_terminal(scene.stop)


def recorder_settings(choice: ResolvedSettings) -> RecorderSettings:
    """Return the settings of the recorder.

    Raises:
        UsageError: When an option needs a journal that is not set.
    """
    journal = choice.settings.journal
    stray = [option for option, key in JOURNAL_OPTIONS.items() if key in choice.overridden]
    if stray and journal.folder is None:
        raise UsageError(f"{stray[0]} needs a journal; add --journal DIR")
    return RecorderSettings(
        journal.gap_s,
        journal.keep_voices,
        retention_of(choice),
    )


def retention_of(choice: ResolvedSettings) -> Retention:
    """Return how much evidence to keep."""
    journal = choice.settings.journal
    return Retention(
        journal.keep_days,
        None if journal.keep_gb is None else round(journal.keep_gb * 1e9),
        round(journal.keep_free_gb * 1e9),
        journal.keep_best,
    )


def open_recorder(
    folder: Path,
    settings: RecorderSettings,
    recogniser: Recogniser,
    sources: SourceInfo,
    began: datetime | None = None,
) -> Recorder:
    """Open a journal and start a session in it, at an aware time or now."""
    if os.geteuid() == 0:
        log.warning("this is root; a station does not need root: run it as an ordinary user")
    recorder = Recorder(open_journal(folder), recogniser, sources, settings)
    recorder.start(began or datetime.now(UTC))
    return recorder


def open_liveness(model_id: str, sources: SourceInfo, journal: Path | None) -> LivenessMonitor:
    """Start the liveness monitor.

    Raises:
        UsageError: When the timeout in the environment is not a number.
    """
    pid = os.getpid()
    status = initial_status(model_id, sources, journal, pid, start_ticks(pid))
    return LivenessMonitor(service_notifier(), status_folder(), status, stall_timeout_s())
