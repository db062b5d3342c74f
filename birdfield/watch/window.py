"""One step of a watched scene: what was decided, and the picture and the sound it was made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from birdfield.recognise.embed import NO_SAMPLE, EmbeddedSample
from birdfield.recognise.observation import Observation
from birdfield.signals.audio import Waveform
from birdfield.signals.boxes import Box
from birdfield.signals.image import Frame


@dataclass(frozen=True)
class Window:
    """A window of a scene.

    Attributes:
        time: The wall clock's time at end_s, aware, UTC.
        start_s: Where it starts, in seconds of the scene, by the monotonic clock.
        end_s: Where it ends.
        faults: Why "camera" and "microphone", as far as there are such, were of no use; None
            where one was.
        observation: What was decided; None when nothing moved and no bird was heard.
        frame: The usable frame in which something moved, uint8 [H, W, 3] BGR, or None.
        waveform: The usable sound that stood out, float32 [N] at the frontend's rate, or None.
        seen: The frame's vector and quality.
        heard: Those of the sound.
        box: Where it moved, in pixels of the frame; None for all of it.
        overruns: What was lost since the scene began, by kind as in `birdfield.overruns`.
        slept_s: For how long the machine had slept by then, since it started.
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
