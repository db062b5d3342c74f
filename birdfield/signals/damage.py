"""Damage as it comes in the field: noise over a song, pictures blurred, dark, covered or wet."""

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from birdfield.signals.audio import Waveform
from birdfield.signals.image import Frame

FRAME_S = 0.02  # how finely a song's power is measured

# Lengths are shares of the picture's shorter side: the tower sees every picture at one size.
BLUR_SIGMA = 0.015
DARK_GAIN, DARK_GAMMA = 0.25, 1.5  # white falls to a quarter, shadows to nearly nothing
SENSOR_SIGMA = 4.0  # of 255: the noise of a small sensor that is short of light
DROPS, DROP_RADIUS = 30, (0.02, 0.07)
STREAKS, STREAK_LENGTH = 60, (0.05, 0.2)
STREAK_SHARE = 0.35  # of white in a streak


def mix_noise(
    waveform: Waveform,
    noise: Waveform,
    snr_db: float,
    rng: np.random.Generator,
    rate_hz: int = 16_000,
) -> Waveform:
    """Lay a random cut of noise under a recording at a signal-to-noise ratio.

    The signal's power is that of its active frames, whose energy is above the median: where calls
    fill less than half of the time they stand further above the noise. The noise's is that of its
    whole cut. What would exceed full scale is scaled down as a whole, so nothing is clipped and the
    ratio stays.

    Args:
        waveform: float32 [N], mono, -1..1.
        noise: float32 [M], at the same rate; repeated from its beginning where it is shorter.
        snr_db: The ratio, in dB.
        rng: Draws where the cut begins, and nothing else.
        rate_hz: Of both.

    Returns:
        float32 [N], a copy; only the waveform where the cut is digital silence.

    Raises:
        ValueError: When one of them is empty.
    """
    if not len(waveform) or not len(noise):
        raise ValueError(
            f"mixing {len(waveform)} samples with {len(noise)} of noise; "
            "expected at least one of each"
        )
    cut = _cut(noise, len(waveform), rng).astype(np.float64)
    power = float(np.mean(cut**2))
    wanted = active_power(waveform, rate_hz) / 10 ** (snr_db / 10)
    mixed = waveform + cut * (math.sqrt(wanted / power) if power else 0.0)
    return np.asarray(mixed / max(1.0, float(np.abs(mixed).max())), np.float32)


def _cut(noise: Waveform, length: int, rng: np.random.Generator) -> Waveform:
    spare = len(noise) - length
    start = int(rng.integers(spare + 1 if spare >= 0 else len(noise)))
    return (
        noise[start : start + length] if spare >= 0 else np.resize(np.roll(noise, -start), length)
    )


def active_power(waveform: Waveform, rate_hz: int = 16_000) -> float:
    """Return the mean square of the frames of 20 ms whose energy is above the median frame's."""
    size = round(FRAME_S * rate_hz)
    frames = waveform[: len(waveform) // size * size].astype(np.float64).reshape(-1, size)
    energies = (frames**2).mean(axis=1)
    active = energies[energies > np.median(energies)] if len(energies) else energies
    # An even sound, or less than two frames, has none above its median: all of it counts.
    return float(active.mean() if len(active) else np.mean(waveform.astype(np.float64) ** 2))


def damage_image(frame: Frame, kind: str, rng: np.random.Generator) -> Frame:
    """Damage a picture as weather, light and what stands before the lens do.

    Args:
        frame: uint8 [H, W, 3], BGR.
        kind: One of DAMAGES.
        rng: Draws the sensor's noise, what is covered, and the drops.

    Returns:
        uint8 [H, W, 3], a copy.

    Raises:
        ValueError: When the kind is not one of DAMAGES.
    """
    if kind not in _DAMAGE:
        raise ValueError(f"no damage {kind!r}; expected one of {', '.join(DAMAGES)}")
    return _DAMAGE[kind](frame, rng)


def _clean(frame: Frame, rng: np.random.Generator) -> Frame:
    return frame.copy()


def _blur(frame: Frame, rng: np.random.Generator) -> Frame:
    """Take the focus away."""
    return np.asarray(cv2.GaussianBlur(frame, (0, 0), BLUR_SIGMA * min(frame.shape[:2])), np.uint8)


def _dark(frame: Frame, rng: np.random.Generator) -> Frame:
    """Let dusk fall: a gamma curve, a gain, and the noise that is left."""
    levels = (255 * DARK_GAIN * (np.arange(256) / 255) ** DARK_GAMMA).astype(np.float32)
    noise = SENSOR_SIGMA * rng.standard_normal(frame.shape, np.float32)
    return _to_frame(levels[frame] + noise)


def _cover(frame: Frame, rng: np.random.Generator) -> Frame:
    """Cover one side of a random line through the centre in the picture's mean colour."""
    height, width = frame.shape[:2]
    angle = rng.uniform(0, 2 * math.pi)
    rows, columns = np.mgrid[:height, :width]
    side = (columns - (width - 1) / 2) * math.cos(angle) + (rows - (height - 1) / 2) * math.sin(
        angle
    )
    covered = frame.copy()
    covered[side > 0] = frame.reshape(-1, 3).mean(axis=0).astype(np.uint8)
    return covered


def _rain(frame: Frame, rng: np.random.Generator) -> Frame:
    """Let rain fall before the lens, as streaks, and on it, as drops that turn the scene over."""
    height, width = frame.shape[:2]
    shorter = min(height, width)
    streaks = np.zeros((height, width), np.float32)
    slant = rng.uniform(-0.3, 0.3)
    for x, y, share in rng.uniform(
        (0, 0, STREAK_LENGTH[0]), (width, height, STREAK_LENGTH[1]), (STREAKS, 3)
    ):
        end = (int(x + slant * share * shorter), int(y + share * shorter))
        cv2.line(streaks, (int(x), int(y)), end, STREAK_SHARE, max(1, shorter // 200), cv2.LINE_AA)
    dry = frame.astype(np.float32)
    wet = np.asarray(dry + (255 - dry) * streaks[..., None], np.float32)
    soft = np.asarray(cv2.GaussianBlur(wet, (0, 0), BLUR_SIGMA * shorter), np.float32)
    for x, y, share in rng.uniform(
        (0, 0, DROP_RADIUS[0]), (width, height, DROP_RADIUS[1]), (DROPS, 3)
    ):
        _drop(wet, soft, (x, y), share * shorter)
    return _to_frame(wet)


def _drop(
    wet: NDArray[np.float32], soft: NDArray[np.float32], centre: tuple[float, float], radius: float
) -> None:
    """Draw one drop: a small lens that shows a wide part of the scene upside down."""
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
    "clean": _clean,
    "blur": _blur,
    "dark": _dark,
    "half-covered": _cover,
    "rain": _rain,
}
DAMAGES = tuple(_DAMAGE)
