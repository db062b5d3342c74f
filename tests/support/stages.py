"""A recorder with a fake model on a stage: windows of birds at known angles, and who speaks."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from fakes import BluePitch, at, bird_classes, factory

from birdfield.journal.database import open_journal, read_journal
from birdfield.journal.queries import Selection, events_of, visits_of
from birdfield.model.audio_specs import YAMNET
from birdfield.model.frontend import Heard
from birdfield.recognise.decide import decide
from birdfield.recognise.embed import NO_SAMPLE, EmbeddedSample
from birdfield.recognise.observation import Observation
from birdfield.settings.rules import LiveRules
from birdfield.signals.audio import Waveform
from birdfield.watch.recorder import Recorder, Settings
from birdfield.watch.scene import DECISION_S
from birdfield.watch.window import Window

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
ENCODER, GALLERY = BluePitch(), factory()
RATE_HZ, WINDOW_S = YAMNET.rate_hz, YAMNET.window_s
DEFAULTS = Settings()
FRAME = np.random.default_rng(0).integers(0, 255, (96, 128, 3)).astype(np.uint8)


def sound_at(start_s: float) -> Waveform:
    """Return a window of the scene's sound: it tells its own time, 1 % of full scale a second."""
    samples = np.arange(YAMNET.window) + round(start_s * RATE_HZ)
    return (samples / RATE_HZ * 0.01 % 1).astype(np.float32)


def voice_classes() -> np.ndarray:
    scores = bird_classes()
    scores[0, 0] = 0.9
    return scores


def window(
    number: int,
    seen: float | None = None,
    heard: float | None = None,
    spoken: bool = False,
    clock_s: float = 0.0,
    faults: dict[str, str | None] | None = None,
    overruns: dict[str, int] | None = None,
    slept_s: float = 0.0,
) -> Window:
    """Watch a picture and a sound, at an angle each; the wall clock is fast by clock_s."""
    start_s = number * DECISION_S
    end_s = start_s + WINDOW_S
    time = NOON + timedelta(seconds=end_s + clock_s)
    image = None if seen is None else at(seen)
    audio = None if heard is None else at(heard)
    observation = None
    if image is not None or audio is not None:
        observation = Observation(
            time, start_s, end_s, decide(ENCODER, GALLERY, image, audio), "eye", "ear"
        )
    classes = voice_classes if spoken else bird_classes
    return Window(
        time,
        start_s,
        end_s,
        faults or {},
        observation,
        FRAME if seen is not None else None,
        sound_at(start_s) if heard is not None else None,
        NO_SAMPLE if image is None else EmbeddedSample(image, None, quality=0.9),
        NO_SAMPLE
        if audio is None
        else EmbeddedSample(
            None,
            audio,
            start_s,
            end_s,
            0.9,
            heard=Heard(np.zeros((1, YAMNET.dim), np.float32), classes),
        ),
        overruns=overruns or {},
        slept_s=slept_s,
    )


def recorder(
    folder: Path,
    settings: Settings = DEFAULTS,
    live: bool = True,
    clock_offset_s: Callable[[], float] = lambda: 0.0,
    rules: LiveRules | None = None,
) -> Recorder:
    """Open a recorder that has started."""
    opened = Recorder(
        open_journal(folder), ENCODER, GALLERY, "a1b2", settings, live, clock_offset_s, rules
    )
    opened.start(NOON, "eye", "ear")
    return opened


def visits(folder: Path) -> list[dict[str, object]]:
    """Read what was written."""
    with closing(read_journal(folder)) as journal:
        return list(visits_of(journal, Selection()))


def events(folder: Path) -> list[tuple[str, str]]:
    """Read the kind and the detail of each event."""
    with closing(read_journal(folder)) as journal:
        return [(row["kind"], row["detail"]) for row in events_of(journal, None, None)]
