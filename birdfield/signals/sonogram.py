"""Sonograms: loudness by time and pitch, as a small picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

from birdfield.signals.audio import Waveform

SONOGRAM_PX = (320, 140)
SPAN = 512  # samples in a spectrum: at 16 kHz 32 ms, 31 Hz a line
RANGE_DB = 60.0  # below the loudest


def draw_sonogram(waveform: Waveform) -> NDArray[np.uint8]:
    """Draw loudness by time and pitch, the highest on top, white where it is RANGE_DB below.

    Args:
        waveform: float32 [N], N >= 1.

    Returns:
        uint8 [140, 320].
    """
    padded = np.pad(waveform, (0, max(0, SPAN - len(waveform))))
    hop = max(SPAN // 4, len(padded) // SONOGRAM_PX[0])
    spans = np.lib.stride_tricks.sliding_window_view(padded, SPAN)[::hop]
    power = np.abs(np.fft.rfft(spans * np.hanning(SPAN), axis=1)) ** 2
    level_db = 10 * np.log10(power / max(float(power.max()), 1e-20) + 1e-20)
    ink = np.clip(1 + level_db / RANGE_DB, 0, 1).T[::-1].astype(np.float32)
    sized = cv2.resize(ink, SONOGRAM_PX, interpolation=cv2.INTER_AREA)
    return np.asarray(255 - 235 * sized, np.uint8)
