"""Image: reads photographs, and turns pictures into the input of an image tower."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from birdfield import MAX_PIXELS
from birdfield.errors import InputError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
MAX_FILE_BYTES = 200_000_000
PNG_TAIL_BYTES = 65_536  # a whole PNG ends within this: room for data that is appended
MAX_SEGMENTS = 100_000  # of a JPEG before its pixels: a limit for a hostile file

Frame = NDArray[np.uint8]  # [H, W, 3], BGR


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
    """Decode a photograph.

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
    if not _is_whole(data):
        raise InputError(f"{name}: the picture is truncated; copy the file again")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise InputError(
            f"{name}: cannot be decoded as a picture of at most {MAX_PIXELS // 1_000_000} "
            "megapixels; save a smaller copy"
        ) from error
    if image is None:
        raise InputError(
            f"{name}: not a picture that can be decoded; expected JPEG, PNG, WebP or BMP"
        )
    return np.asarray(image, np.uint8)


def _is_whole(data: bytes) -> bool:
    """Return whether a JPEG, PNG or WebP file has its end; True for any other format."""
    if data.startswith(b"\xff\xd8"):
        return data.find(b"\xff\xd9", _find_scan(data)) >= 0
    if data.startswith(b"\x89PNG"):
        return b"IEND" in data[-PNG_TAIL_BYTES:]
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return len(data) >= int.from_bytes(data[4:8], "little") + 8
    return True


def _find_scan(data: bytes) -> int:
    """Return where a JPEG's pixels start, behind a thumbnail that has an end marker of its own.

    The search for the end starts there and not at the end of the file: phones append a film.
    """
    place = 2
    for _ in range(MAX_SEGMENTS):
        marker = data[place + 1 : place + 2]
        if data[place : place + 1] != b"\xff" or marker == b"\xd9":
            break
        if marker == b"\xff":  # a fill byte before a marker
            place += 1
        elif marker == b"\x01" or b"\xd0" <= marker <= b"\xd8":  # markers without a length
            place += 2
        else:
            place += 2 + max(2, int.from_bytes(data[place + 2 : place + 4], "big"))
        if marker == b"\xda":  # start of scan
            break
    return place


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
