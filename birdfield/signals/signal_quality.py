"""Signal quality: measures how good a usable picture or sound is, 0..1.

Answers report the quality, and no weight depends on it: no weight that fell with the quality did
better than equal weights (docs/decisions/0008-signal-quality.md).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from birdfield.signals.audio import Waveform
from birdfield.signals.image import Frame

SIDE_PX = 128  # pictures are measured at this size: blur is a share of the picture, not of pixels
EDGE_BLOCK_PX, TEXTURE_CELL_PX = 16, 8
# Each pair below is two ends of a ramp.
SHARPNESS = (-1.9, -0.5)  # ln(deviation of the Laplacian / of the luma), blurred and sharp
BRIGHTNESS = (0.1, 0.5)  # of 1: what 5 % of a picture exceed, at dusk and by day
COVERED_SHARE = (0.1, 0.5)  # share of cells without texture, in a free and a half-covered view
EVEN_LUMA = 0.5  # of 255: the standard deviation of a cell without texture

FRAME_S = 0.032  # the frames in which sound is measured
BIRDS_HZ = (1000, 8000)
WIND_HZ = (30, 500)
CONTRAST_DB = (5.0, 25.0)  # of loud frames over quiet ones, in noise and of a song in quiet
WIND_SHARE = (0.1, 0.8)  # of the energy, on a still day and in a gale


def picture_quality(frame: Frame) -> float:
    """Measure how sharp and bright a picture is, and how much of the view is free.

    Args:
        frame: uint8 [H, W, 3], BGR, usable by `birdfield.signals.usability.frame_fault`.

    Returns:
        0..1: the product of the three, each 1 for an ordinary photograph.
    """
    step = max(1, min(frame.shape[:2]) // (2 * SIDE_PX))
    green = np.ascontiguousarray(frame[::step, ::step, 1])  # the largest part of the luma
    luma = cv2.resize(green, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    edges = np.asarray(cv2.Laplacian(luma, cv2.CV_32F), np.float32)
    # The richest blocks of each decide: a bird before a blurred background is in focus.
    most_edges, most_shape = (
        float(np.quantile(_blocks(values, EDGE_BLOCK_PX).std(axis=1), 0.9))
        for values in (edges, luma)
    )
    sharp = _ramp(float(np.log(most_edges / (most_shape + 1) + 1e-4)), SHARPNESS)
    bright = _ramp(float(np.quantile(luma, 0.95)) / 255, BRIGHTNESS)
    even = float((_blocks(luma, TEXTURE_CELL_PX).std(axis=1) < EVEN_LUMA).mean())
    return sharp * bright * (1 - _ramp(even, COVERED_SHARE))


def sound_quality(waveform: Waveform, rate_hz: int) -> float:
    """Measure how far the loud parts stand out in the band of birds, and how little wind there is.

    Args:
        waveform: float32 [N], mono, -1..1, usable by `birdfield.signals.usability.window_fault`.
        rate_hz: Its sample rate, at least twice the upper edge of BIRDS_HZ.

    Returns:
        0..1: the product of the two, each 1 for a near song on a still day.
    """
    size = round(FRAME_S * rate_hz)
    count = max(1, len(waveform) // size)
    frames = np.resize(waveform, count * size).reshape(count, size)
    power = np.abs(np.fft.rfft(frames * np.hanning(size).astype(np.float32), axis=1)) ** 2
    loudness_db = 10 * np.log10(_band_power(power, BIRDS_HZ, rate_hz) + 1e-12)
    quiet_db, loud_db = np.quantile(loudness_db, (0.2, 0.9))
    wind = _band_power(power, WIND_HZ, rate_hz).sum() / (
        _band_power(power, (WIND_HZ[0], rate_hz // 2), rate_hz).sum() + 1e-12
    )
    return _ramp(float(loud_db - quiet_db), CONTRAST_DB) * (1 - _ramp(float(wind), WIND_SHARE))


def _ramp(value: float, ends: tuple[float, float]) -> float:
    """Return 0 up to the first end, 1 from the second on, and a line between them."""
    return float(np.clip((value - ends[0]) / (ends[1] - ends[0]), 0, 1))


def _blocks(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Cut [SIDE_PX, SIDE_PX] into squares, [N, size * size]."""
    count = SIDE_PX // size
    return values.reshape(count, size, count, size).swapaxes(1, 2).reshape(-1, size * size)


def _band_power(
    power: NDArray[np.floating], band_hz: tuple[int, int], rate_hz: int
) -> NDArray[np.floating]:
    """Sum the power [T, F] within a band, [T]."""
    first, last = (round(edge * (power.shape[1] - 1) * 2 / rate_hz) for edge in band_hz)
    return np.asarray(power[:, first : last + 1].sum(axis=1))
