"""Pi camera: the Raspberry Pi's own camera, read by Picamera2 where that package is installed."""

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Protocol

from birdfield.errors import MissingError
from birdfield.signals.image import Frame

PI_CAMERA = "picamera2"  # the spec that selects this camera
SIZE_PX = (1280, 720)  # width and height: less than the sensor's, at its full frame rate


def load_picamera2() -> ModuleType:
    """Import Picamera2; raises MissingError when it is not installed or cannot be loaded."""
    try:
        return importlib.import_module("picamera2")
    except (ImportError, ValueError) as error:  # ValueError: built for another NumPy
        raise MissingError(
            "the Pi's own camera needs the package picamera2, which only apt has: sudo apt install "
            "python3-picamera2, and birdfield in a venv made with --system-site-packages "
            f"({error})"
        ) from error


class _Picamera2(Protocol):
    """The methods of Picamera2 that birdfield uses."""

    def create_video_configuration(self, main: Mapping[str, object]) -> object:
        """Return a configuration with a main stream."""

    def configure(self, configuration: object) -> None:
        """Use a configuration."""

    def start(self) -> None:
        """Start the camera."""

    def capture_array(self, name: str) -> Frame:
        """Wait for the next frame of a stream."""

    def close(self) -> None:
        """Release the camera."""


class PiCapture:
    """The first camera of a Pi, with the methods of OpenCV's VideoCapture that birdfield uses."""

    def __init__(self) -> None:
        """Start the camera; `isOpened` returns whether there is one."""
        self._frame: Frame | None = None
        self._camera: _Picamera2 | None = None
        package = load_picamera2()
        if not package.Picamera2.global_camera_info():
            return
        try:
            camera: _Picamera2 = package.Picamera2()
            self._camera = camera  # so that `release` closes it if its start fails
            # libcamera's RGB888 has the bytes B, G, R in memory.
            camera.configure(
                camera.create_video_configuration(main={"size": SIZE_PX, "format": "RGB888"})
            )
            camera.start()
        except RuntimeError:  # another process uses the camera
            self.release()

    def isOpened(self) -> bool:  # noqa: N802
        """Return whether the camera is open."""
        return self._camera is not None

    def grab(self) -> bool:
        """Wait for the next frame."""
        self._frame = None if self._camera is None else self._camera.capture_array("main")
        return True

    def retrieve(self) -> tuple[bool, Frame | None]:
        """Return the grabbed frame, BGR uint8 [H, W, 3]."""
        return self._frame is not None, self._frame

    def release(self) -> None:
        """Release the camera, also after a failed start."""
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()
