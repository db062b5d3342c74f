"""Shots: frames of a camera with their time and what moved in them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from birdfield.signals.boxes import Box, crop
from birdfield.signals.image import Frame
from birdfield.signals.motion import MotionGate
from birdfield.signals.usability import frame_fault


@dataclass(frozen=True)
class Shot:
    """A frame that was examined for motion.

    Attributes:
        frame: uint8 [H, W, 3], BGR.
        time_s: When the frame was taken, in the source's time.
        unchanged_s: How long the picture had been bit-identical by then.
        still: Whether nothing moved, by `birdfield.signals.motion`.
        box: Where something moved, in pixels of the frame; None when nothing or everything did.
        reduced_from: Width and height of the camera's whole frame, where `frame` is all of it at a
            smaller size; else None.
    """

    frame: Frame
    time_s: float
    unchanged_s: float
    still: bool = False
    box: Box | None = None
    reduced_from: tuple[int, int] | None = None

    @property
    def subject(self) -> Frame:
        """The part of the frame that moved; the whole frame when there is no box."""
        return crop(self.frame, self.box)


def choose_shot(shots: Sequence[Shot]) -> Shot | None:
    """Return the shot that represents a window: the last one with motion, else the last one.

    Where the camera has become unusable (dark or flat), the last shot shows that and is returned.

    Args:
        shots: The shots of the window, in order of time.
    """
    if not shots:
        return None
    newest, moving = shots[-1], [shot for shot in shots if not shot.still]
    if not moving or frame_fault(newest.frame, 0.0):
        return newest
    return replace(moving[-1], unchanged_s=newest.unchanged_s)


def look_for_motion(gate: MotionGate, frame: Frame, time_s: float, unchanged_s: float) -> Shot:
    """Examine a frame for motion.

    Args:
        gate: The camera's motion gate.
        frame: uint8 [H, W, 3], BGR; the shot holds it.
        time_s: When the frame was taken.
        unchanged_s: How long the picture has been bit-identical.
    """
    motion = gate.look(frame, time_s)
    return Shot(frame, time_s, unchanged_s, not motion.moving, motion.box)
