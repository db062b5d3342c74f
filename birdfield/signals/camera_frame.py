"""Camera frames: decodes pictures of a camera, and keeps what is used, in bounded memory."""

from collections.abc import Sequence

import cv2
import numpy as np

from birdfield.errors import InputError
from birdfield.signals.boxes import Box, black_out, check_box, reduce_box
from birdfield.signals.image import REDUCTIONS, Frame, complete_jpeg, decode_picture
from birdfield.signals.picture_header import PictureHeader, read_header

MAX_VIEW_PIXELS = 1920 * 1200  # of what is kept of a frame: the crop, or the whole
MIN_VIEW_PIXELS = 1_500_000  # a frame is not decoded at less than this
MAX_FRAME_PX = (4096, 2304)  # width and height ...
MAX_FRAME_PIXELS = MAX_FRAME_PX[0] * MAX_FRAME_PX[1]  # ... of a frame that is decoded
MAX_HELD_BYTES = 60_000_000  # of a progressive JPEG


def decode_camera_jpeg(data: bytes, box: Box | None) -> tuple[Frame, int]:
    """Decode a JPEG from a camera at the size that is needed.

    Args:
        data: The JPEG; its end marker may be missing.
        box: The part of the frame that is used, in its pixels; None for all of it.

    Returns:
        Pixels, uint8 [H, W, 3], BGR, and the number of the camera's pixels that are one of these,
        along each side.

    Raises:
        InputError: When it is not a JPEG, lacks too much, or is too large.
    """
    header = read_header(data)
    if header is None or header.kind != "JPEG" or header.held_bytes > MAX_HELD_BYTES:
        raise InputError("not a JPEG that can be decoded")
    divisor = _divisor(header, box)
    if not header.whole:
        data, _ = complete_jpeg(data, "the frame")
    flags = REDUCTIONS[divisor] | cv2.IMREAD_IGNORE_ORIENTATION
    return decode_picture(data, flags, "the frame"), divisor


def _divisor(header: PictureHeader, box: Box | None) -> int:
    wanted = min(box[2] * box[3], header.pixels) if box else header.pixels
    for divisor in sorted(REDUCTIONS):
        fits = header.pixels <= MAX_FRAME_PIXELS * divisor**2
        if fits and wanted < MIN_VIEW_PIXELS * (2 * divisor) ** 2:
            return divisor
    raise InputError(
        f"a frame of {header.width}x{header.height} pixels; "
        f"expected at most {8 * MAX_FRAME_PX[0]}x{8 * MAX_FRAME_PX[1]}"
    )


def view_of(frame: Frame, box: Box | None, zones: Sequence[Box], divisor: int = 1) -> Frame:
    """Return what is used of a frame, at most MAX_VIEW_PIXELS, in memory of its own.

    Args:
        frame: uint8 [H, W, 3], BGR.
        box: The part that is used; None for all of it.
        zones: Parts that are made black.
        divisor: How many pixels in which the boxes count are one pixel of the frame.

    Raises:
        InputError: When the box extends beyond the frame.
    """
    if box:
        check_box(box, frame.shape[1] * divisor, frame.shape[0] * divisor)
    frame = black_out(frame, [reduce_box(zone, divisor) for zone in zones])
    view = _within(frame, reduce_box(box, divisor)) if box else frame
    pixels = view.shape[0] * view.shape[1]
    if pixels > MAX_VIEW_PIXELS:
        scale = (MAX_VIEW_PIXELS / pixels) ** 0.5
        size = int(scale * view.shape[1]), int(scale * view.shape[0])
        return np.asarray(cv2.resize(view, size, interpolation=cv2.INTER_AREA), np.uint8)
    return view if box is None else view.copy()


def _within(frame: Frame, box: Box) -> Frame:
    """Cut a box that lies within a frame but for the rounding of its divided sides."""
    left, top, width, height = box
    return frame[top : top + height, left : left + width]
