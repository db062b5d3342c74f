"""Damage: makes pictures as bad as weather, light and dirt do, to test a model."""

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from birdfield.signals.image import Frame

# Lengths are shares of the picture's shorter side, since a tower resizes every picture.
BLUR_SIGMA = 0.015
DARK_GAIN, DARK_GAMMA = 0.25, 1.5  # white falls to a quarter, shadows to nearly 0
SENSOR_SIGMA = 4.0  # of 255: the noise of a small sensor in little light
DROP_COUNT, DROP_RADII = 30, (0.02, 0.07)  # radii from and to
STREAK_COUNT, STREAK_LENGTHS = 60, (0.05, 0.2)  # lengths from and to
MAX_SLANT = 0.3  # of a streak's length, to either side
STREAK_OPACITY = 0.35  # of the white streaks


def damage_image(frame: Frame, kind: str, rng: np.random.Generator) -> Frame:
    """Return a damaged copy of a picture.

    Args:
        frame: uint8 [H, W, 3], BGR.
        kind: One of DAMAGES.
        rng: Draws the sensor's noise, the covered half, the streaks and the drops.

    Returns:
        uint8 [H, W, 3], a copy.

    Raises:
        ValueError: When the kind is not one of DAMAGES.
    """
    if kind not in _DAMAGE:
        raise ValueError(f"no damage {kind!r}; expected one of {', '.join(DAMAGES)}")
    return _DAMAGE[kind](frame, rng)


def _copy(frame: Frame, rng: np.random.Generator) -> Frame:
    return frame.copy()


def _blur(frame: Frame, rng: np.random.Generator) -> Frame:
    """Put the picture out of focus."""
    return np.asarray(cv2.GaussianBlur(frame, (0, 0), BLUR_SIGMA * min(frame.shape[:2])), np.uint8)


def _darken(frame: Frame, rng: np.random.Generator) -> Frame:
    """Darken the picture as dusk does: a gamma curve, a gain, and the sensor's noise."""
    levels = (255 * DARK_GAIN * (np.arange(256) / 255) ** DARK_GAMMA).astype(np.float32)
    noise = SENSOR_SIGMA * rng.standard_normal(frame.shape, np.float32)
    return _to_frame(levels[frame] + noise)


def _cover(frame: Frame, rng: np.random.Generator) -> Frame:
    """Cover one side of a random line through the centre in the picture's mean colour."""
    height, width = frame.shape[:2]
    angle = rng.uniform(0, 2 * math.pi)
    rows, columns = np.mgrid[:height, :width]
    across, down = columns - (width - 1) / 2, rows - (height - 1) / 2
    side = across * math.cos(angle) + down * math.sin(angle)
    covered = frame.copy()
    covered[side > 0] = frame.reshape(-1, 3).mean(axis=0).astype(np.uint8)
    return covered


def _rain(frame: Frame, rng: np.random.Generator) -> Frame:
    """Add rain: streaks before the lens, and drops on it that show the scene upside down."""
    wet = _add_streaks(frame.astype(np.float32), rng)
    shorter = min(frame.shape[:2])
    soft = np.asarray(cv2.GaussianBlur(wet, (0, 0), BLUR_SIGMA * shorter), np.float32)
    height, width = frame.shape[:2]
    for x, y, radius in rng.uniform(
        (0, 0, DROP_RADII[0]), (width, height, DROP_RADII[1]), (DROP_COUNT, 3)
    ):
        _draw_drop(wet, soft, (x, y), radius * shorter)
    return _to_frame(wet)


def _add_streaks(dry: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    height, width = dry.shape[:2]
    shorter = min(height, width)
    streaks = np.zeros((height, width), np.float32)
    slant = rng.uniform(-MAX_SLANT, MAX_SLANT)
    thickness = max(1, shorter // 200)
    for x, y, length in rng.uniform(
        (0, 0, STREAK_LENGTHS[0]), (width, height, STREAK_LENGTHS[1]), (STREAK_COUNT, 3)
    ):
        end = (int(x + slant * length * shorter), int(y + length * shorter))
        cv2.line(streaks, (int(x), int(y)), end, STREAK_OPACITY, thickness, cv2.LINE_AA)
    return np.asarray(dry + (255 - dry) * streaks[..., None], np.float32)


def _draw_drop(
    wet: NDArray[np.float32], soft: NDArray[np.float32], centre: tuple[float, float], radius: float
) -> None:
    """Draw one drop: a small lens that shows a wide part of the blurred scene upside down."""
    height, width = wet.shape[:2]
    x, y = centre
    top, bottom = max(0, int(y - radius)), min(height, int(y + radius) + 1)
    left, right = max(0, int(x - radius)), min(width, int(x + radius) + 1)
    rows, columns = np.mgrid[top:bottom, left:right]
    inside = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
    from_rows = np.clip(y - 3 * (rows - y), 0, height - 1).astype(int)
    from_columns = np.clip(x - 3 * (columns - x), 0, width - 1).astype(int)
    wet[top:bottom, left:right][inside] = soft[from_rows, from_columns][inside]


def _to_frame(values: NDArray[np.float32]) -> Frame:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


_DAMAGE: dict[str, Callable[[Frame, np.random.Generator], Frame]] = {
    "clean": _copy,
    "blur": _blur,
    "dark": _darken,
    "half-covered": _cover,
    "rain": _rain,
}
DAMAGES = tuple(_DAMAGE)
