"""What moves before a camera: a background learnt on a small grey picture, and what is new there.

Brightness is compared as a logarithm, less what changes in a whole part of the picture at once:
that is light. What flickers where it stands, as leaves do, must differ more to count.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from birdfield.signals.boxes import Box, square_around
from birdfield.signals.image import Frame
from birdfield.signals.usability import FLAT_LUMA

LOOK_INTERVAL_S = 0.5  # from one look to the next where nothing moves
SIDE_PX = 256  # the longer side of the small picture
TILES = 8  # parts of light along each side
DARK_LUMA = 16.0  # of 255, added to all: a sensor's noise in the dark is no change

LEAST_CHANGE = 0.15  # of ln luma: what differs by less is no motion
RESTLESS_TIMES = 3.0  # how many times a place's own flicker a change must be
REACH_PX = 5  # leaves swing this far beyond where they flickered so far
LEAST_SHARE = 0.00025  # of the picture: the smallest thing that moves
JOIN_PX = 5  # parts nearer to each other are one thing
WHOLE_SHARE = 0.5  # of the picture: when so much differs, it is another scene

LEARN_S = 10.0  # until the slow change of what stands still is learnt
STAY_S = 40.0  # what came and stayed for so long is background
WARM_UP_S = 10.0  # flicker is learnt at NEW_S in a new scene
NEW_S = 3.0
FLICKER_S = 0.4  # flicker is measured over at least so long
RESTLESS_S = 20.0  # until flicker is learnt
CALM_S = 60.0  # until it is forgotten

Small = NDArray[np.float32]  # [h, w], luma or something of each place


@dataclass(frozen=True)
class Motion:
    """What a look found.

    Attributes:
        moving: Whether something is there that was not, or the scene is another one.
        box: Where, in pixels of the frame; None when nothing moves, or everything.
    """

    moving: bool
    box: Box | None = None


STILL, WHOLE = Motion(False), Motion(True)


def small_luma(frame: Frame) -> Small:
    """Shrink a frame, uint8 [H, W, 3], to its luma, 0..255, the longer side SIDE_PX or less."""
    step = max(1, max(frame.shape[:2]) // (2 * SIDE_PX))
    green = np.ascontiguousarray(frame[::step, ::step, 1])  # carries most of the luma
    scale = min(SIDE_PX / max(green.shape), 1.0)
    width, height = (max(TILES, round(side * scale)) for side in green.shape[::-1])
    small = cv2.resize(green, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def relight(background: Small, luma: Small) -> Small:
    """Show a background [h, w] in the light of a picture: in each part the light of most places."""
    height, width = luma.shape
    rows, columns = height // TILES, width // TILES
    ratio = cv2.log((luma + 1) / (background + 1))
    tiles = ratio[: rows * TILES, : columns * TILES].reshape(TILES, rows, TILES, columns)
    light = np.asarray(np.median(tiles, axis=(1, 3)), np.float32)
    gain = cv2.exp(cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR))
    return np.asarray(np.minimum(background * gain, 255.0), np.float32)


def largest_part(moved: NDArray[np.bool_], differs: NDArray[np.bool_]) -> Box | None:
    """Find the largest thing that moved, parts near each other taken as one.

    Args:
        moved: The mask [h, w] of what is more than flicker.
        differs: All that differs from the background, with `moved` in it.

    Returns:
        Its box in pixels of the mask, as far as it differs; None when less than LEAST_SHARE moved.
    """
    moved_px, differs_px = (cv2.medianBlur(mask.astype(np.uint8), 3) for mask in (moved, differs))
    joined = cv2.dilate(differs_px, np.ones((JOIN_PX, JOIN_PX), np.uint8))
    _, labels = cv2.connectedComponents(joined)
    sizes = np.bincount(labels[moved_px > 0], minlength=1)
    sizes[0] = 0
    largest = int(sizes.argmax())
    if sizes[largest] < max(LEAST_SHARE * moved.size, 1):
        return None
    thing = (labels == largest) & (differs_px > 0)
    left, top, width, height = cv2.boundingRect(thing.astype(np.uint8))
    return left, top, width, height


class MotionGate:
    """The background of one camera. Not thread-safe."""

    def __init__(self) -> None:
        """Start before the first frame, which is all new."""
        self._background: Small | None = None

    def look(self, frame: Frame, time_s: float) -> Motion:
        """Compare a frame, uint8 [H, W, 3] BGR, to the background, and learn from it.

        Args:
            frame: Of one size, else the background starts again.
            time_s: When it was taken; looks go forward.
        """
        luma = small_luma(frame)
        if luma.std() < FLAT_LUMA:  # covered or dark: what comes after is another scene
            self._background = None
            return STILL
        if self._background is None or self._background.shape != luma.shape:
            return self._start(luma, time_s)
        expected = relight(self._background, luma)
        change = np.asarray(cv2.log((luma + DARK_LUMA) / (expected + DARK_LUMA)), np.float32)
        reach = cv2.dilate(self._flicker, np.ones((REACH_PX, REACH_PX), np.uint8))
        differs = np.abs(change) > LEAST_CHANGE
        moved = differs & (np.abs(change) > RESTLESS_TIMES * reach)
        if moved.mean() > WHOLE_SHARE:
            return self._start(luma, time_s)
        self._learn_flicker(change, time_s)
        part = largest_part(moved, differs)
        self._learn(luma, differs, time_s, part is None)
        if part is None:
            return STILL
        scale = frame.shape[1] / luma.shape[1]
        left, top, width, height = (int(side * scale) for side in part)
        return Motion(True, square_around((left, top, width, height), frame.shape))

    def _start(self, luma: Small, time_s: float) -> Motion:
        self._background = luma
        self._flicker = np.zeros_like(luma)
        self._earlier, self._earlier_s = np.zeros_like(luma), time_s
        self._stayed_s = np.zeros_like(luma)
        self._started_s = self._learnt_s = time_s
        return WHOLE

    def _learn(self, luma: Small, differs: NDArray[np.bool_], time_s: float, still: bool) -> None:
        assert self._background is not None
        passed_s, self._learnt_s = time_s - self._learnt_s, time_s
        self._stayed_s = np.where(differs, self._stayed_s + np.float32(passed_s), 0)
        # A visitor that fills a part of the picture may pass for light there: nothing is learnt
        # from a visit, except what stayed.
        usual = _rate(passed_s, LEARN_S) if still else 0.0
        rates = np.where(self._stayed_s >= STAY_S, 1, np.where(differs, 0, usual))
        self._background = self._background + rates.astype(np.float32) * (luma - self._background)

    def _learn_flicker(self, change: Small, time_s: float) -> None:
        passed_s = time_s - self._earlier_s
        if passed_s < FLICKER_S:
            return
        rise = np.abs(change - self._earlier) - self._flicker
        new = time_s - self._started_s < WARM_UP_S
        rates = np.where(
            rise > 0, _rate(passed_s, NEW_S if new else RESTLESS_S), _rate(passed_s, CALM_S)
        )
        self._flicker += rates.astype(np.float32) * rise
        self._earlier, self._earlier_s = change, time_s


def _rate(passed_s: float, time_constant_s: float) -> float:
    return 1 - math.exp(-passed_s / time_constant_s)
