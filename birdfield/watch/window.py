"""Window: one step of a watched scene, with its picture, its sound and its decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from birdfield.recognise.embed import NO_SAMPLE, EmbeddedSample
from birdfield.recognise.observation import Observation
from birdfield.signals.audio import Waveform
from birdfield.signals.boxes import Box
from birdfield.signals.image import Frame
from birdfield.signals.windows import AudioSpec

WINDOW_STEP_S = 2.4  # nominal, from one window to the next: five hops of YAMNet


def window_step_s(spec: AudioSpec) -> float:
    """Return the seconds from one window to the next: whole hops, about WINDOW_STEP_S.

    With a step of whole hops, a window shares most of its patches with the window before.
    """
    return round(WINDOW_STEP_S * spec.rate_hz / spec.hop) * spec.hop / spec.rate_hz


@dataclass(frozen=True)
class Window:
    """A window of a scene.

    Attributes:
        time: The wall clock's time at end_s, aware, UTC.
        start_s: The start of the window, in seconds of the scene, by the monotonic clock.
        end_s: The end of the window, likewise.
        faults: Why the source "camera" or "microphone" is not usable, None if it is; the scene's
            sources only.
        observation: The decision; None when nothing moved and no bird was heard.
        frame: The usable frame in which something moved, uint8 [H, W, 3] BGR, or None.
        waveform: The usable sound above the background, float32 [N] at the frontend's rate, or
            None.
        seen: The vector and the quality of the frame.
        heard: The vector and the quality of the sound.
        box: The part of the frame that moved, in pixels; None for the whole frame.
        overruns: The number of losses since the scene began, by the kinds of
            `birdfield.watch.overruns`.
        slept_s: The time that the machine has slept since it started.
    """

    time: datetime
    start_s: float
    end_s: float
    faults: Mapping[str, str | None] = field(default_factory=dict)
    observation: Observation | None = None
    frame: Frame | None = None
    waveform: Waveform | None = None
    seen: EmbeddedSample = NO_SAMPLE
    heard: EmbeddedSample = NO_SAMPLE
    box: Box | None = None
    overruns: Mapping[str, int] = field(default_factory=dict)
    slept_s: float = 0.0
