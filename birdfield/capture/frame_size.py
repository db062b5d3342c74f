"""Frame size: finds captures whose frames are too large, before one is decoded."""

import cv2

from birdfield.signals.camera_frame import MAX_FRAME_PIXELS, MAX_FRAME_PX


def oversize(capture: object) -> str | None:
    """Return why the frames of one of OpenCV's captures are too large; None where they are not."""
    if not isinstance(capture, cv2.VideoCapture):
        return None
    sides = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    width, height = (int(capture.get(side)) for side in sides)
    if width * height <= MAX_FRAME_PIXELS:
        return None
    most = "x".join(map(str, MAX_FRAME_PX))
    return f"sends frames of {width}x{height} pixels; expected at most {most}"
