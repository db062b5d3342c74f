"""Motion: finds what moves before a camera, by a background learnt on a small grey picture.

The gate compares the logarithm of the luma, less what changes in a whole part of the picture at
once, which is light. Where the picture flickers, as leaves do, a change must be larger to count.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from birdfield.signals.boxes import Box, square_around
from birdfield.signals.image import Frame
from birdfield.signals.usability import FLAT_LUMA

LOOK_INTERVAL_S = 0.5  # from one look to the next while something moves
SIDE_PX = 256  # the longer side of the small picture
LIGHT_TILES = 8  # along each side: parts of the picture whose light is measured
DARK_LUMA = 16.0  # of 255, added to all luma, so that a sensor's noise in the dark is no change

MIN_CHANGE = 0.15  # of ln luma: a smaller change is no motion
MIN_FLICKER_RATIO = 3.0  # of a change to the flicker of its place
FLICKER_REACH_PX = 5  # leaves swing this far beyond where they have flickered
MIN_AREA_SHARE = 0.00025  # of the picture: the smallest thing that moves
JOIN_PX = 5  # parts closer together than this are one thing
NEW_SCENE_SHARE = 0.5  # of the picture: where more than this moves, it is another scene

BACKGROUND_S = 10.0  # time constant of the background
STAY_S = 40.0  # a thing that stays for this long becomes background
NEW_SCENE_S = 10.0  # how long a scene is new
# Time constants of the flicker: it rises quickly in a new scene, slowly later, and falls slowest.
NEW_FLICKER_RISE_S, FLICKER_RISE_S, FLICKER_FALL_S = 3.0, 20.0, 60.0
FLICKER_STEP_S = 0.4  # flicker is the change over at least this time

SmallPicture = NDArray[np.float32]  # [h, w], luma or another value of each place
Mask = NDArray[np.bool_]  # [h, w]


@dataclass(frozen=True)
class Motion:
    """The result of one look.

    Attributes:
        moving: Whether something moves, or the scene is another one.
        box: Where it moves, in pixels of the frame; None when nothing or everything moves.
    """

    moving: bool
    box: Box | None = None


NO_MOTION, NEW_SCENE = Motion(False), Motion(True)


def small_luma(frame: Frame) -> SmallPicture:
    """Return the luma, 0..255, of a frame, uint8 [H, W, 3], with a longer side of SIDE_PX."""
    step = max(1, max(frame.shape[:2]) // (2 * SIDE_PX))
    green = np.ascontiguousarray(frame[::step, ::step, 1])  # the largest part of the luma
    scale = min(SIDE_PX / max(green.shape), 1.0)
    width, height = (max(LIGHT_TILES, round(side * scale)) for side in green.shape[::-1])
    small = cv2.resize(green, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def relight_background(background: SmallPicture, luma: SmallPicture) -> SmallPicture:
    """Return a background [h, w] in the light of a picture.

    The light of a part is the median ratio of its places, so that a bird does not change it.
    """
    height, width = luma.shape
    rows, columns = height // LIGHT_TILES, width // LIGHT_TILES
    ratio = cv2.log((luma + 1) / (background + 1))
    tiles = ratio[: rows * LIGHT_TILES, : columns * LIGHT_TILES].reshape(
        LIGHT_TILES, rows, LIGHT_TILES, columns
    )
    light = np.asarray(np.median(tiles, axis=(1, 3)), np.float32)
    gain = cv2.exp(cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR))
    return np.asarray(np.minimum(background * gain, 255.0), np.float32)


def largest_moving_part(moved: Mask, differs: Mask) -> Box | None:
    """Find the largest thing that moved; parts closer together than JOIN_PX are one thing.

    Args:
        moved: Where the change is larger than flicker.
        differs: Where the picture differs from the background, including `moved`.

    Returns:
        The box around the thing as far as it differs, in pixels of the mask; None when less than
        MIN_AREA_SHARE moved.
    """
    moved_px, differs_px = (cv2.medianBlur(mask.astype(np.uint8), 3) for mask in (moved, differs))
    joined = cv2.dilate(differs_px, np.ones((JOIN_PX, JOIN_PX), np.uint8))
    _, labels = cv2.connectedComponents(joined)
    sizes = np.bincount(labels[moved_px > 0], minlength=1)
    sizes[0] = 0
    largest = int(sizes.argmax())
    if sizes[largest] < max(MIN_AREA_SHARE * moved.size, 1):
        return None
    thing = (labels == largest) & (differs_px > 0)
    left, top, width, height = cv2.boundingRect(thing.astype(np.uint8))
    return left, top, width, height


class MotionGate:
    """The background and the flicker of one camera's scene. Not thread-safe."""

    def __init__(self) -> None:
        """Start without a background: the first frame is a new scene."""
        self._background: SmallPicture | None = None

    def look(self, frame: Frame, time_s: float) -> Motion:
        """Compare a frame with the background, and learn from it.

        Args:
            frame: uint8 [H, W, 3], BGR; another size starts a new scene.
            time_s: When it was taken, not before the previous frame.
        """
        luma = small_luma(frame)
        if luma.std() < FLAT_LUMA:  # covered or dark: the next scene is a new one
            self._background = None
            return NO_MOTION
        if self._background is None or self._background.shape != luma.shape:
            return self._start_scene(luma, time_s)
        expected = relight_background(self._background, luma)
        change = np.asarray(cv2.log((luma + DARK_LUMA) / (expected + DARK_LUMA)), np.float32)
        differs = np.abs(change) > MIN_CHANGE
        moved = differs & (np.abs(change) > MIN_FLICKER_RATIO * self._flicker_nearby())
        if moved.mean() > NEW_SCENE_SHARE:
            return self._start_scene(luma, time_s)
        self._learn_flicker(change, time_s)
        part = largest_moving_part(moved, differs)
        self._learn_background(luma, differs, time_s, part is None)
        if part is None:
            return NO_MOTION
        scale = frame.shape[1] / luma.shape[1]
        left, top, width, height = (int(side * scale) for side in part)
        return Motion(True, square_around((left, top, width, height), frame.shape))

    def _start_scene(self, luma: SmallPicture, time_s: float) -> Motion:
        self._background = luma
        self._flicker = np.zeros_like(luma)
        self._earlier_change, self._earlier_s = np.zeros_like(luma), time_s
        self._stayed_s = np.zeros_like(luma)
        self._started_s = self._learnt_s = time_s
        return NEW_SCENE

    def _flicker_nearby(self) -> SmallPicture:
        reach = np.ones((FLICKER_REACH_PX, FLICKER_REACH_PX), np.uint8)
        return np.asarray(cv2.dilate(self._flicker, reach), np.float32)

    def _learn_background(
        self, luma: SmallPicture, differs: Mask, time_s: float, still: bool
    ) -> None:
        assert self._background is not None
        passed_s, self._learnt_s = time_s - self._learnt_s, time_s
        self._stayed_s = np.where(differs, self._stayed_s + np.float32(passed_s), 0)
        # A bird that fills a part of the picture looks like a change of light there: while
        # something moves, learn only what has stayed.
        usual = _rate(passed_s, BACKGROUND_S) if still else 0.0
        rates = np.where(self._stayed_s >= STAY_S, 1, np.where(differs, 0, usual))
        self._background = self._background + rates.astype(np.float32) * (luma - self._background)

    def _learn_flicker(self, change: SmallPicture, time_s: float) -> None:
        passed_s = time_s - self._earlier_s
        if passed_s < FLICKER_STEP_S:
            return
        rise = np.abs(change - self._earlier_change) - self._flicker
        new = time_s - self._started_s < NEW_SCENE_S
        rates = np.where(
            rise > 0,
            _rate(passed_s, NEW_FLICKER_RISE_S if new else FLICKER_RISE_S),
            _rate(passed_s, FLICKER_FALL_S),
        )
        self._flicker += rates.astype(np.float32) * rise
        self._earlier_change, self._earlier_s = change, time_s


def _rate(passed_s: float, time_constant_s: float) -> float:
    """Return the share of the way to a new value that passes in a time."""
    return 1 - math.exp(-passed_s / time_constant_s)
