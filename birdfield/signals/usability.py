"""Whether a sense is usable: lost sources, frames that show and windows that hold nothing."""

import cv2
import numpy as np

from birdfield.signals.audio import Waveform
from birdfield.signals.image import Frame

DARK_LUMA = 24.0  # of 255: a frame is dark when all but DARK_REST of it is below this
DARK_REST = 0.02  # share of the picture; leaves room for the clock that cameras write into it
FLAT_LUMA = 2.0  # of 255: the standard deviation of a picture without any shape in it
FROZEN_S = 2.0  # bit-identical frames for this long come from a camera that hangs
SMALL_PX = 64  # frames are judged at this size: averaging takes the sensor's noise out

SILENT_STEP = 1 / 32_768  # one step of 16-bit sound: digital silence stays below it
SILENT_SHARE = 0.999  # of the samples; the rest may be the click of a mute switch
FULL_SCALE = 0.999  # of 1.0
CLIPPED_SHARE = 0.5  # of the samples


def frame_fault(frame: Frame, previous_change_s: float) -> str | None:
    """Tell why a frame is of no use.

    Args:
        frame: uint8 [H, W, 3], BGR.
        previous_change_s: How long ago its camera's picture last changed, in seconds; 0 for a
            photograph.

    Returns:
        "dark", "flat" or "frozen"; None when the frame is usable.
    """
    small = cv2.resize(frame, (SMALL_PX, SMALL_PX), interpolation=cv2.INTER_AREA)
    luma = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    if np.quantile(luma, 1 - DARK_REST) < DARK_LUMA:
        return "dark"
    if luma.std() < FLAT_LUMA:
        return "flat"
    return "frozen" if previous_change_s >= FROZEN_S else None


def window_fault(waveform: Waveform) -> str | None:
    """Tell why a window of sound is of no use.

    Args:
        waveform: float32 [N], mono, -1..1.

    Returns:
        "silent" or "clipped"; None when the window is usable.
    """
    if not len(waveform):
        return "silent"
    # Around the median, since a dead input may rest at a value other than zero.
    still = np.abs(waveform - np.median(waveform)) < SILENT_STEP
    if still.mean() >= SILENT_SHARE:
        return "silent"
    return "clipped" if (np.abs(waveform) >= FULL_SCALE).mean() >= CLIPPED_SHARE else None


class ChangeTimer:
    """How long a camera's picture has been the same, bit by bit."""

    def __init__(self) -> None:
        """Start before the first frame."""
        self._previous: Frame | None = None
        self._changed_s = 0.0

    def unchanged_s(self, frame: Frame, time_s: float) -> float:
        """Take the next frame and its time; returns the seconds since the picture changed."""
        before, self._previous = self._previous, frame
        # Every sixteenth row tells nearly all changes at a fraction of the cost.
        if (
            before is None
            or not np.array_equal(before[::16], frame[::16])
            or not np.array_equal(before, frame)
        ):
            self._changed_s = time_s
        return time_s - self._changed_s
