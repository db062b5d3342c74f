"""Recorder scene: a recorder with a fake model, and windows of birds at known angles."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from fakes import BluePitch, at, bird_classes, factory

from birdfield.journal.opening import open_journal, read_journal
from birdfield.journal.queries import Selection, events_of, visits_of
from birdfield.journal.records import VisitRecord
from birdfield.model.audio_specs import YAMNET
from birdfield.model.frontend import SoundFeatures
from birdfield.recognise.decide import decide
from birdfield.recognise.embed import EmbeddedSample
from birdfield.recognise.observation import Observation
from birdfield.settings.rules import LiveRules
from birdfield.signals.audio import Waveform
from birdfield.watch.recogniser import Recogniser
from birdfield.watch.recorder import Recorder, RecorderSettings
from birdfield.watch.sources import SourceInfo
from birdfield.watch.window import WINDOW_STEP_S, Window

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
ENCODER, GALLERY = BluePitch(), factory()
RECOGNISER = Recogniser(ENCODER, GALLERY, "a1b2")
SOURCES = SourceInfo("eye", "ear")
RATE_HZ, WINDOW_S = YAMNET.rate_hz, YAMNET.window_s
DEFAULTS = RecorderSettings()
FRAME = np.random.default_rng(0).integers(0, 255, (96, 128, 3)).astype(np.uint8)


def sound_at(start_s: float) -> Waveform:
    """Return a window of sound whose samples are the scene time: 0.01 of full scale a second."""
    samples = np.arange(YAMNET.window) + round(start_s * RATE_HZ)
    return (samples / RATE_HZ * 0.01 % 1).astype(np.float32)


def voice_classes() -> np.ndarray:
    """Return the class scores of one patch in which somebody speaks over a bird."""
    scores = bird_classes()
    scores[0, 0] = 0.9
    return scores


def window(
    number: int,
    seen: float | None = None,
    heard: float | None = None,
    spoken: bool = False,
    clock_s: float = 0.0,
    faults: Mapping[str, str | None] | None = None,
    overruns: Mapping[str, int] | None = None,
    slept_s: float = 0.0,
) -> Window:
    """Return a window of a scene that began at NOON.

    Args:
        number: The window starts at `number * WINDOW_STEP_S`.
        seen: The angle of the picture's vector, in degrees; None when nothing moved.
        heard: The angle of the sound's vector; None without sound.
        spoken: Whether somebody speaks in the sound.
        clock_s: The error of the wall clock.
        faults: The faults of the sources.
        overruns: The numbers of losses.
        slept_s: The time that the machine has slept.
    """
    start_s = number * WINDOW_STEP_S
    end_s = start_s + WINDOW_S
    empty = Window(
        NOON + timedelta(seconds=end_s + clock_s),
        start_s,
        end_s,
        faults or {},
        overruns=overruns or {},
        slept_s=slept_s,
    )
    return observed(empty, seen, heard, spoken)


def observed(
    window: Window, seen: float | None, heard: float | None, spoken: bool = False
) -> Window:
    """Return a window with a picture and a sound at these angles, and the decision on them."""
    if seen is not None:
        sample = EmbeddedSample(at(seen), None, quality=0.9)
        window = replace(window, frame=FRAME, seen=sample)
    if heard is not None:
        frames = np.zeros((1, YAMNET.dim), np.float32)
        classes = SoundFeatures(frames, voice_classes if spoken else bird_classes)
        span = window.start_s, window.end_s
        sample = EmbeddedSample(None, at(heard), *span, quality=0.9, features=classes)
        window = replace(window, waveform=sound_at(window.start_s), heard=sample)
    if seen is None and heard is None:
        return window
    decision = decide(ENCODER, GALLERY, window.seen.image, window.heard.audio)
    observation = Observation(
        window.time, window.start_s, window.end_s, decision, SOURCES.camera, SOURCES.microphone
    )
    return replace(window, observation=observation)


def start_recorder(
    folder: Path,
    settings: RecorderSettings = DEFAULTS,
    live: bool = True,
    clock_offset_s: Callable[[], float] = lambda: 0.0,
    rules: LiveRules | None = None,
) -> Recorder:
    """Return a recorder whose session began at NOON."""
    recorder = Recorder(
        open_journal(folder),
        replace(RECOGNISER, rules=rules or LiveRules()),
        replace(SOURCES, live=live),
        settings,
        clock_offset_s,
    )
    recorder.start(NOON)
    return recorder


def visits(folder: Path) -> list[VisitRecord]:
    """Return the visits of a journal."""
    with closing(read_journal(folder)) as journal:
        return list(visits_of(journal, Selection()))


def evidence_suffixes(folder: Path) -> list[str]:
    """Return the suffixes of all evidence files of a journal, sorted."""
    return sorted(path.suffix for path in (folder / "evidence").rglob("*") if path.is_file())


def events(folder: Path) -> list[tuple[str, str]]:
    """Return the kind and the detail of each event of a journal."""
    with closing(read_journal(folder)) as journal:
        return [(row.kind, row.detail) for row in events_of(journal, None, None)]
