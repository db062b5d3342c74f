"""Boxes: parts of a picture, by position and size in pixels."""

import re
from collections.abc import Sequence

from birdfield.errors import InputError, UsageError
from birdfield.signals.image import Frame

MIN_SQUARE_PX = 48  # the smallest side of a square that `square_around` returns

Box = tuple[int, int, int, int]  # left, top, width and height in pixels


def parse_box(text: str, name: str = "crop") -> Box:
    """Read "X,Y,W,H" in pixels.

    Args:
        text: What the user wrote.
        name: The setting that the box is for, for error messages.

    Raises:
        UsageError: When the text is malformed or the box is empty.
    """
    if not re.fullmatch(r"\d{1,6}(?:\s*[,;]\s*\d{1,6}){3}", text.strip()):
        raise UsageError(f"{name} is {text!r}; expected X,Y,W,H in pixels, such as 100,50,640,480")
    left, top, width, height = (int(part) for part in re.split("[,;]", text))
    if not width or not height:
        raise UsageError(f"{name} {text!r} is empty; expected a width and a height of at least 1")
    return left, top, width, height


def crop(frame: Frame, box: Box | None) -> Frame:
    """Return the part of a frame [H, W, 3] within a box; the frame itself without a box.

    Raises:
        InputError: When the box extends beyond the frame.
    """
    if box is None:
        return frame
    check_box(box, frame.shape[1], frame.shape[0])
    left, top, width, height = box
    return frame[top : top + height, left : left + width]


def check_box(box: Box, columns: int, rows: int) -> None:
    """Check that a box lies within a frame; raises InputError where it does not."""
    left, top, width, height = box
    if left + width > columns or top + height > rows:
        raise InputError(
            f"crop {left},{top},{width},{height} extends beyond the frame of "
            f"{columns}x{rows} pixels; choose X+W <= {columns} and Y+H <= {rows}"
        )


def reduce_box(box: Box, divisor: int) -> Box:
    """Return the smallest box that covers a box in a frame whose sides are divided."""
    left, top = box[0] // divisor, box[1] // divisor
    right, bottom = -(-(box[0] + box[2]) // divisor), -(-(box[1] + box[3]) // divisor)
    return left, top, right - left, bottom - top


def black_out(frame: Frame, zones: Sequence[Box]) -> Frame:
    """Return a copy of a frame [H, W, 3] with the zones black; without zones, the frame itself."""
    if not zones:
        return frame
    frame = frame.copy()
    for left, top, width, height in zones:
        frame[top : top + height, left : left + width] = 0
    return frame


def square_around(box: Box, shape: tuple[int, ...], margin: float = 1.0) -> Box | None:
    """Return a square within a picture that contains a box, centred on it where possible.

    Args:
        box: The box to contain.
        shape: The picture's shape, [H, W, ...].
        margin: The side of the square, as a multiple of the longer side of the box.

    Returns:
        The square, MIN_SQUARE_PX or more where the picture is large enough; None when the box is
        longer than the shorter side of the picture.
    """
    left, top, width, height = box
    rows, columns = shape[:2]
    if max(width, height) > min(rows, columns):
        return None
    side = min(max(round(margin * max(width, height)), MIN_SQUARE_PX), rows, columns)
    return (
        min(max(left + (width - side) // 2, 0), columns - side),
        min(max(top + (height - side) // 2, 0), rows - side),
        side,
        side,
    )
