"""Usability: finds frames and windows of sound that a model cannot use."""

from typing import Literal

import cv2
import numpy as np

from birdfield.signals.audio import Waveform
from birdfield.signals.image import Frame

DARK_LUMA = 24.0  # of 255: in a dark frame, all but DARK_EXCEPTION is below this
DARK_EXCEPTION = 0.02  # share of the picture: room for the clock that cameras write into it
FLAT_LUMA = 2.0  # of 255: the standard deviation of a picture without any shape
FROZEN_S = 2.0  # a camera whose frames are bit-identical for this long hangs
MAX_COMPARED_BYTES = 8_000_000  # of a frame that is compared whole with the next one
SMALL_PX = 64  # frames are examined at this size: the mean removes the sensor's noise

SILENT_STEP = 1 / 32_768  # one step of 16-bit sound: digital silence stays below it
SILENT_SHARE = 0.999  # of the samples; the rest may be the click of a mute switch
FULL_SCALE = 0.999  # of 1.0
CLIPPED_SHARE = 0.5  # of the samples

FrameFault = Literal["dark", "flat", "frozen"]
SoundFault = Literal["silent", "clipped"]


def frame_fault(frame: Frame, unchanged_s: float) -> FrameFault | None:
    """Return why a frame is unusable.

    Args:
        frame: uint8 [H, W, 3], BGR.
        unchanged_s: How long the camera's picture has been bit-identical, in seconds; 0 for a
            photograph.

    Returns:
        The fault; None when the frame is usable.
    """
    small = cv2.resize(frame, (SMALL_PX, SMALL_PX), interpolation=cv2.INTER_AREA)
    luma = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    if np.quantile(luma, 1 - DARK_EXCEPTION) < DARK_LUMA:
        return "dark"
    if luma.std() < FLAT_LUMA:
        return "flat"
    return "frozen" if unchanged_s >= FROZEN_S else None


def window_fault(waveform: Waveform) -> SoundFault | None:
    """Return why a window of sound is unusable.

    Args:
        waveform: float32 [N], mono, -1..1.

    Returns:
        The fault; None when the window is usable.
    """
    if not len(waveform):
        return "silent"
    # Compare with the median, since a dead input may rest at a value other than zero.
    still = np.abs(waveform - np.median(waveform)) < SILENT_STEP
    if still.mean() >= SILENT_SHARE:
        return "silent"
    return "clipped" if (np.abs(waveform) >= FULL_SCALE).mean() >= CLIPPED_SHARE else None


class ChangeTimer:
    """Measures how long a camera's picture has been bit-identical."""

    def __init__(self) -> None:
        """Start before the first frame."""
        self._previous: Frame | None = None
        self._changed_s = 0.0

    def unchanged_s(self, frame: Frame, time_s: float) -> float:
        """Return the seconds since the picture changed.

        Args:
            frame: The next frame.
            time_s: When it was taken.
        """
        # Of a large frame, every sixteenth row has to do: a copy of it all would take memory.
        shown = frame if frame.nbytes <= MAX_COMPARED_BYTES else frame[::16].copy()
        before, self._previous = self._previous, shown
        # Every sixteenth row shows nearly all changes at a fraction of the cost.
        if (
            before is None
            or not np.array_equal(before[::16], shown[::16])
            or not np.array_equal(before, shown)
        ):
            self._changed_s = time_s
        return time_s - self._changed_s
