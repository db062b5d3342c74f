"""Sonogram: draws the loudness of a sound by time and pitch."""

import cv2
import numpy as np
from numpy.typing import NDArray

from birdfield.signals.audio import Waveform

SONOGRAM_PX = (320, 140)  # width and height
SPECTRUM_SAMPLES = 512  # at 16 kHz: 32 ms in time, 31 Hz in pitch
RANGE_DB = 60.0  # from white to the loudest
DARKEST = 20  # of 255: the level of the loudest


def draw_sonogram(waveform: Waveform) -> NDArray[np.uint8]:
    """Draw a sonogram: time from left to right, pitch upwards, loud parts dark.

    Args:
        waveform: float32 [N], N >= 1.

    Returns:
        uint8 [140, 320], grey; white is RANGE_DB or more below the loudest.
    """
    padded = np.pad(waveform, (0, max(0, SPECTRUM_SAMPLES - len(waveform))))
    hop = max(SPECTRUM_SAMPLES // 4, len(padded) // SONOGRAM_PX[0])
    pieces = np.lib.stride_tricks.sliding_window_view(padded, SPECTRUM_SAMPLES)[::hop]
    power = np.abs(np.fft.rfft(pieces * np.hanning(SPECTRUM_SAMPLES), axis=1)) ** 2
    level_db = 10 * np.log10(power / max(float(power.max()), 1e-20) + 1e-20)
    ink = np.clip(1 + level_db / RANGE_DB, 0, 1).T[::-1].astype(np.float32)
    sized = cv2.resize(ink, SONOGRAM_PX, interpolation=cv2.INTER_AREA)
    return np.asarray(255 - (255 - DARKEST) * sized, np.uint8)
