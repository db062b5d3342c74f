"""Image: reads photographs, and turns pictures into the input of an image tower."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError
from birdfield.signals.picture_header import (
    JPEG_END,
    PictureHeader,
    end_jpeg,
    end_png,
    more_pixels,
    read_header,
)

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
MAX_FILE_BYTES = 100_000_000
DECODE_BYTES = 180_000_000  # for a photograph: its file, its pixels, and what a decoder holds
# OpenCV turns a picture upright, and passes it on, as a second copy; WebP's decoder holds a third.
BYTES_PER_PIXEL = {"JPEG": 6, "PNG": 6, "BMP": 6, "WebP": 8}
MAX_PIXELS = 400_000_000  # of a JPEG, decoded at an eighth; it takes seconds
MAX_MISSING = 0.1  # share of a JPEG without its end that may be missing
REDUCTIONS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}

Frame = NDArray[np.uint8]  # [H, W, 3], BGR

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageSpec:
    """The input of an image tower.

    Attributes:
        size_px: Width and height in pixels.
        order: Channel order, "BGR" or "RGB".
        mean: Subtracted from each channel, in that order, on the 0..255 scale.
        scale: Divides the result.
    """

    size_px: int
    order: str
    mean: tuple[float, float, float]
    scale: float = 1.0

    @classmethod
    def from_json(cls, entry: Mapping[str, object]) -> "ImageSpec":
        """Read the spec in a manifest; raises KeyError, TypeError or ValueError when malformed."""
        mean = entry["mean"]
        if not isinstance(mean, list | tuple):
            raise TypeError(f"mean is {mean!r}; expected three numbers")
        first, second, third = map(_to_float, mean)
        spec = cls(
            int(_to_float(entry["size_px"])),
            str(entry["order"]),
            (first, second, third),
            _to_float(entry["scale"]),
        )
        if (
            not 16 <= spec.size_px <= 1024
            or spec.order not in ("BGR", "RGB")
            or spec.scale <= 0
            or not np.isfinite([*spec.mean, spec.scale]).all()
        ):
            raise ValueError(f"image input {entry!r} is out of range")
        return spec


def _to_float(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def decode_image(data: bytes, name: str) -> Frame:
    """Decode a photograph; a JPEG too large for DECODE_BYTES at a half, a quarter or an eighth.

    Args:
        data: The content of a JPEG, PNG, WebP or BMP file.
        name: The file's name for error messages.

    Returns:
        Pixels, uint8 [H, W, 3], BGR, turned upright by the EXIF orientation.

    Raises:
        InputError: When it is empty, truncated, too large or not a picture.
    """
    if not data:
        raise InputError(f"{name}: the file is empty; expected a photograph")
    header = read_header(data)
    if header is None:
        return decode_picture(data, cv2.IMREAD_COLOR, name)
    if not header.whole:
        data = _complete(data, header, name)
    return decode_picture(data, _reduction(header, len(data), name), name)


def decode_picture(data: bytes, flags: int, name: str) -> Frame:
    """Decode a picture by OpenCV's flags; raises InputError where that is not possible."""
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # its text is about OpenCV's code
        image = None
    if image is None:
        raise InputError(
            f"{name}: not a picture that can be decoded; expected JPEG, PNG, WebP or BMP"
        )
    return np.asarray(image, np.uint8)


def _reduction(header: PictureHeader, file_bytes: int, name: str) -> int:
    """Return the flag for the largest size at which a picture can be decoded."""
    room = DECODE_BYTES - file_bytes - header.held_bytes
    for divisor, flag in REDUCTIONS.items() if header.kind == "JPEG" else [(1, cv2.IMREAD_COLOR)]:
        needed = BYTES_PER_PIXEL[header.kind] * header.pixels / divisor**2
        if needed <= room and header.pixels <= MAX_PIXELS:
            return flag
    kind = f"progressive {header.kind}" if header.held_bytes else header.kind
    raise InputError(
        f"{name}: a {kind} of {header.pixels / 1e6:.0f} megapixels, which needs more than "
        f"{DECODE_BYTES / 1e6:.0f} MB of memory; save a smaller copy, or a JPEG that is not "
        "progressive"
    )


def _complete(data: bytes, header: PictureHeader, name: str) -> bytes:
    """Return a picture without its end as one with an end, where it has nearly all its pixels."""
    if header.kind == "PNG" and (ended := end_png(data)) is not None:
        return ended
    if header.kind != "JPEG":
        raise _truncated(name)
    _reduction(header, len(data), name)
    ended, missing = complete_jpeg(data, name)
    if missing > 0:
        log.warning(
            "%s: %.0f %% of the picture is missing, and the rest is used; copy the file again",
            name,
            100 * missing,
        )
    return ended


def _truncated(name: str) -> InputError:
    return InputError(f"{name}: the picture is truncated; copy the file again")


def complete_jpeg(data: bytes, name: str) -> tuple[bytes, float]:
    """Complete a JPEG whose end marker is missing.

    Where pixels are missing, bytes that are added to them change the rest of the picture.

    Returns:
        The JPEG with an end, and the share of its rows that is missing, 0..MAX_MISSING.

    Raises:
        InputError: When more is missing, or it cannot be decoded.
    """
    ended = end_jpeg(data)
    flags = cv2.IMREAD_REDUCED_COLOR_8 | cv2.IMREAD_IGNORE_ORIENTATION
    plain = decode_picture(ended, flags, name)
    more = ended[: -len(JPEG_END)] + more_pixels(ended) + JPEG_END
    changed = np.flatnonzero((plain != decode_picture(more, flags, name)).any(axis=(1, 2)))
    missing = 1 - changed[0] / len(plain) if len(changed) else 0.0
    if missing > MAX_MISSING:
        raise _truncated(name)
    return ended, float(missing)


def read_image(path: Path) -> Frame:
    """Read a photograph from a file, whose name may be any Unicode.

    Returns:
        Pixels, uint8 [H, W, 3], BGR, turned upright by the EXIF orientation.

    Raises:
        InputError: When the file cannot be read or decoded.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise InputError(
                f"{path}: {size:,} bytes; expected a photograph of at most {MAX_FILE_BYTES:,} bytes"
            )
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    return decode_image(data, str(path))


def resize_to_square(image: Frame, spec: ImageSpec) -> Frame:
    """Resize the whole picture to the tower's square, without keeping its aspect ratio."""
    shrinks = min(image.shape[:2]) > spec.size_px
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    square = cv2.resize(image, (spec.size_px, spec.size_px), interpolation=interpolation)
    return np.asarray(square, np.uint8)


def preprocess(image: Frame, spec: ImageSpec) -> NDArray[np.float32]:
    """Turn a picture into an image tower's input.

    Args:
        image: uint8 [H, W, 3], BGR.
        spec: The tower's spec.

    Returns:
        float32 [size_px, size_px, 3].
    """
    square = resize_to_square(image, spec)
    if spec.order == "RGB":
        square = square[:, :, ::-1]
    return np.asarray((square - np.array(spec.mean, np.float32)) / spec.scale, np.float32)
