"""Media: writes photographs and sonograms as small `data:` URIs."""

import base64
import io
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError
from birdfield.signals.audio import read_beginning
from birdfield.signals.boxes import Box
from birdfield.signals.image import Frame, read_image
from birdfield.signals.sonogram import draw_sonogram

MAX_SIDE_PX = 320  # the longer side of a picture
JPEG_QUALITY = 78  # 0..100
RATE_HZ = 16_000  # so that sonograms end at 8 kHz
EXCERPT_S = 10.0  # drawn and played of a recording


def picture_uri(path: Path, box: Box | None = None) -> str | None:
    """Return a photograph, or its subject, as a small JPEG `data:` URI; None when unreadable.

    Args:
        path: The photograph.
        box: The subject, in pixels; the picture is cropped to twice its width and height.
    """
    try:
        image = read_image(path)
    except InputError:
        return None
    image = image if box is None else _around(image, box)
    scale = min(1.0, MAX_SIDE_PX / max(image.shape[:2]))
    size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
    return _uri(np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8))


def _around(image: Frame, box: Box) -> Frame:
    left, top, width, height = box
    rows = slice(max(0, top - height // 2), top + height + height // 2)
    columns = slice(max(0, left - width // 2), left + width + width // 2)
    cut = image[rows, columns]
    return cut if cut.size else image


def spectrogram_uri(path: Path) -> tuple[str, float] | None:
    """Draw the start of a recording as a sonogram, 0 to 8 kHz, dark on light.

    Returns:
        A `data:` URI and its length in seconds; None when the recording cannot be read.
    """
    try:
        waveform = read_beginning(path, RATE_HZ, EXCERPT_S)
    except InputError:
        return None
    return _uri(draw_sonogram(waveform)), len(waveform) / RATE_HZ


def sound_uri(path: Path) -> str | None:
    """Return the start of a recording, EXCERPT_S at most, as a `data:` URI to play.

    It is an MP3, which every browser plays, or else a FLAC; None when the recording is unreadable.
    """
    import soundfile

    try:
        waveform = read_beginning(path, RATE_HZ, EXCERPT_S)
    except InputError:
        return None
    kind, mime = ("MP3", "mpeg") if "MP3" in soundfile.available_formats() else ("FLAC", "flac")
    file = io.BytesIO()
    soundfile.write(file, waveform, RATE_HZ, format=kind)
    return f"data:audio/{mime};base64,{base64.b64encode(file.getvalue()).decode()}"


def _uri(image: NDArray[np.uint8]) -> str:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
