"""Photographs and recordings, small enough to be written into a page."""

import base64
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from birdfield.audio import Waveform, read_blocks
from birdfield.errors import InputError
from birdfield.image import read_image

PICTURE_PX = 320  # the longer side, at most
SPECTROGRAM_PX = (320, 140)
QUALITY = 78  # of the JPEG, of 100
RATE_HZ = 16_000  # what is drawn of a recording ends at 8 kHz
EXCERPT_S = 10.0  # of a recording
SPAN = 512  # samples in a spectrum: 32 ms, 31 Hz a line
RANGE_DB = 60.0  # below the loudest


def picture_uri(path: Path) -> str | None:
    """Write a photograph as a `data:` URI; None when it cannot be read any more."""
    try:
        image = read_image(path)
    except InputError:
        return None
    scale = min(1.0, PICTURE_PX / max(image.shape[:2]))
    size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
    return _uri(np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8))


def spectrogram_uri(path: Path) -> tuple[str, float] | None:
    """Draw the beginning of a recording as a sonogram, 0 to 8 kHz, dark on light.

    Returns:
        A `data:` URI and the seconds that it shows, or None when it cannot be read any more.
    """
    held: list[Waveform] = []
    try:
        for block in read_blocks(path, RATE_HZ):
            held.append(block)
            if sum(map(len, held)) >= EXCERPT_S * RATE_HZ:
                break
    except InputError:
        return None
    waveform = np.concatenate(held)[: int(EXCERPT_S * RATE_HZ)]
    return _uri(draw_spectrogram(waveform)), len(waveform) / RATE_HZ


def draw_spectrogram(waveform: Waveform) -> NDArray[np.uint8]:
    """Draw loudness by time and pitch, the highest on top, white where it is RANGE_DB below.

    Args:
        waveform: float32 [N], N >= 1.

    Returns:
        uint8 [140, 320].
    """
    padded = np.pad(waveform, (0, max(0, SPAN - len(waveform))))
    hop = max(SPAN // 4, len(padded) // SPECTROGRAM_PX[0])
    spans = np.lib.stride_tricks.sliding_window_view(padded, SPAN)[::hop]
    power = np.abs(np.fft.rfft(spans * np.hanning(SPAN), axis=1)) ** 2
    level_db = 10 * np.log10(power / max(float(power.max()), 1e-20) + 1e-20)
    ink = np.clip(1 + level_db / RANGE_DB, 0, 1).T[::-1].astype(np.float32)
    sized = cv2.resize(ink, SPECTROGRAM_PX, interpolation=cv2.INTER_AREA)
    return np.asarray(255 - 235 * sized, np.uint8)


def _uri(image: NDArray[np.uint8]) -> str:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
