"""Camera: the interface of live cameras and video files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from birdfield.capture.live_camera import LiveCamera
from birdfield.capture.pi_camera import PI_CAMERA, load_picamera2
from birdfield.capture.shot import Shot
from birdfield.capture.source import Source
from birdfield.capture.video_file import VideoFile
from birdfield.signals.boxes import Box


class Camera(Source, Protocol):
    """A source of frames.

    Attributes:
        throttled: Set by the owner while the machine is overloaded or hot; a live camera then
            examines fewer frames.
    """

    throttled: bool

    def best_shot(self, start_s: float, end_s: float) -> Shot | None:
        """Return the last shot in [start_s, end_s) with motion, else the last one.

        The starts of successive calls must not decrease.
        """


def open_camera(
    spec: str, box: Box | None = None, wait_s: float = 0.0, zones: Sequence[Box] = ()
) -> Camera | None:
    """Open the camera that a user named.

    Args:
        spec: "none", a device's number or /dev path, a URL, "picamera2", or a video file.
        box: The part of each frame that is used.
        wait_s: How long a live camera's frames wait for the sound of the same moment.
        zones: Boxes that are made black, in pixels of the camera's whole frame.

    Returns:
        A VideoFile or a LiveCamera, or None for "none".

    Raises:
        InputError: When a video file cannot be read or the box does not lie within its frames.
        MissingError: When the spec is "picamera2" and that package is not installed.
    """
    if spec == "none":
        return None
    if is_video_file(spec):
        return VideoFile(Path(spec), box, zones)
    if spec == PI_CAMERA:
        load_picamera2()
    return LiveCamera(spec, box, wait_s, zones)


def is_video_file(spec: str) -> bool:
    """Return whether a camera that a user named is a video file."""
    is_live = spec.isdecimal() or spec.startswith("/dev/") or "://" in spec
    return not is_live and spec not in ("none", PI_CAMERA)
