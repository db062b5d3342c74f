"""Live camera: a device or a network camera, opened again when it is lost."""

import math
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np

from birdfield.capture.frame_size import oversize
from birdfield.capture.mjpeg_stream import MjpegStream, open_mjpeg
from birdfield.capture.pi_camera import PI_CAMERA, PiCapture
from birdfield.capture.shot import Shot, choose_shot, look_for_motion
from birdfield.capture.source import OPEN_TIMEOUT_S, READ_TIMEOUT_S, LiveSource
from birdfield.capture.supervisor import HANG_S, ReadAttempt, SourceSupervisor
from birdfield.errors import InputError
from birdfield.redaction import mask_url
from birdfield.signals.boxes import Box
from birdfield.signals.camera_frame import view_of
from birdfield.signals.image import Frame
from birdfield.signals.motion import LOOK_INTERVAL_S, MotionGate
from birdfield.signals.usability import ChangeTimer

# OpenCV reads this when it opens the first device.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(READ_TIMEOUT_S))

KEPT_FRAMES = 8  # at least LOOK_INTERVAL_S apart: the owner may ask for a window late
STILL_LOOK_INTERVAL_S = 1.0  # from one look to the next while nothing moves
THROTTLED_LOOK_INTERVAL_S = 2.0  # from one look to the next while throttled
FIRST_STALE_S = 30.0  # a bit-identical picture for this long reopens the camera the first time
MAX_STALE_S = 1800.0  # the time doubles with each reopening, up to this


class Capture(Protocol):
    """The methods of OpenCV's VideoCapture that a live camera uses."""

    def isOpened(self) -> bool:  # noqa: N802
        """Return whether the camera is open."""

    def grab(self) -> bool:
        """Wait for the next frame; return False when the camera is lost."""

    def retrieve(self) -> tuple[bool, object]:
        """Return whether the grabbed frame could be decoded, and the frame: uint8 [H, W, 3]."""

    def release(self) -> None:
        """Release the camera."""


class LiveCamera(LiveSource):
    """A device or a network camera, whose newest shots are kept.

    Attributes:
        name: The device or the URL, without a password.
        throttled: Set by the owner while the machine is overloaded or hot.
        dropped: How many frames arrived between two looks.
    """

    def __init__(
        self, spec: str, box: Box | None = None, wait_s: float = 0.0, zones: Sequence[Box] = ()
    ) -> None:
        """Start reading.

        Args:
            spec: A device's number, a /dev path, a URL or "picamera2".
            box: The part of each frame that is used.
            wait_s: How much later than its end a window may be asked for, in seconds.
            zones: Boxes that are made black, in pixels of the whole frame.
        """
        self.name = mask_url(spec)
        self.throttled = False
        self.dropped = 0
        self._spec = spec
        self._box, self._zones = box, zones
        self._box_has_fitted = False  # the box lay within an earlier frame
        self._box_error: InputError | None = None
        self._shots: list[Shot] = []
        self._kept_count = KEPT_FRAMES + math.ceil(wait_s / LOOK_INTERVAL_S)
        self._lock = threading.Lock()
        self._change = ChangeTimer()  # one for all connections: a reopened camera may still hang
        self._stale_after_s = FIRST_STALE_S
        self._supervisor = SourceSupervisor("camera", self.name, self._read, HANG_S)

    def _open(self) -> Capture:
        if self._spec == PI_CAMERA:
            return PiCapture()
        if self._spec.isdecimal():
            return cv2.VideoCapture(int(self._spec))
        if self._spec.startswith("/dev/"):
            return cv2.VideoCapture(self._spec, cv2.CAP_V4L2)
        if self._spec.startswith(("http://", "https://")):
            stream = open_mjpeg(self._spec, self._box)
            if stream is not None:
                return stream
        return cv2.VideoCapture(
            self._spec,
            cv2.CAP_FFMPEG,
            [
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
                OPEN_TIMEOUT_S * 1000,
                cv2.CAP_PROP_READ_TIMEOUT_MSEC,
                READ_TIMEOUT_S * 1000,
            ],
        )

    def _read(self, attempt: ReadAttempt) -> str:
        """Read the camera until it is lost; return why."""
        capture = self._open()
        try:
            if not capture.isOpened():
                return "cannot be opened"
            if too_large := oversize(capture):
                return too_large
            attempt.tick()
            return self._read_frames(capture, attempt)
        except cv2.error:  # not in the log, since the error's text may contain the URL
            return "sends frames that OpenCV cannot read"
        finally:
            capture.release()

    def _read_frames(self, capture: Capture, attempt: ReadAttempt) -> str:
        gate = MotionGate()
        opened_s, next_look_s = time.monotonic(), 0.0
        while not attempt.cancelled and capture.grab():
            attempt.tick()
            # Grab every frame: a frame that stays in the camera's buffer would be old later.
            time_s = time.monotonic()
            if time_s < next_look_s:
                self.dropped += 1
                continue
            read, image = capture.retrieve()
            if not read or attempt.cancelled:
                break
            frame = np.asarray(image, np.uint8)
            divisor = capture.divisor if isinstance(capture, MjpegStream) else 1
            shot = self._look(gate, frame, divisor, time_s)
            if shot is None:
                width, height = frame.shape[1] * divisor, frame.shape[0] * divisor
                return f"sends frames of {width}x{height} pixels, and the crop extends beyond them"
            self._keep(shot)
            if self._is_stale(shot, time_s - opened_s):
                attempt.retry_soon = True
                return "sends the same picture again and again"
            next_look_s = time_s + self._look_interval_s(shot)
        return "sends no more frames"

    def _look(self, gate: MotionGate, frame: Frame, divisor: int, time_s: float) -> Shot | None:
        """Examine a frame; return None where the box fitted earlier frames and not this one.

        A box that never fitted is the user's mistake: `best_shot` raises the error.
        """
        unchanged_s = self._change.unchanged_s(frame, time_s)
        try:
            view = view_of(frame, self._box, self._zones, divisor)
            self._box_error, self._box_has_fitted = None, True
        except InputError as error:
            if self._box_has_fitted:
                return None
            self._box_error = error
            view = view_of(frame, None, self._zones, divisor)
        shot = look_for_motion(gate, view, time_s, unchanged_s)
        whole_px = frame.shape[1] * divisor, frame.shape[0] * divisor
        if self._box is None and whole_px[0] > view.shape[1]:
            return replace(shot, reduced_from=whole_px)
        return shot

    def _is_stale(self, shot: Shot, open_s: float) -> bool:
        """Return whether to reopen a camera because its picture does not change.

        The time doubles with each reopening, since a dark night also looks the same.
        """
        if shot.unchanged_s < FIRST_STALE_S:
            self._supervisor.outage.report_recovery()
            self._stale_after_s = FIRST_STALE_S
            return False
        stale = min(shot.unchanged_s, open_s) >= self._stale_after_s
        if stale:
            self._stale_after_s = min(2 * self._stale_after_s, MAX_STALE_S)
        return stale

    def _look_interval_s(self, shot: Shot) -> float:
        if self.throttled:
            return THROTTLED_LOOK_INTERVAL_S
        return STILL_LOOK_INTERVAL_S if shot.still else LOOK_INTERVAL_S

    def _keep(self, shot: Shot) -> None:
        with self._lock:
            self._shots = [*self._shots[1 - self._kept_count :], shot]

    def best_shot(self, start_s: float, end_s: float) -> Shot | None:
        """Return the last kept shot in [start_s, end_s) with motion, else the last kept one.

        Args:
            start_s: Start of the window, by time.monotonic().
            end_s: End of the window.

        Raises:
            InputError: When the box does not lie within the camera's frames.
        """
        with self._lock:
            shot = choose_shot([shot for shot in self._shots if start_s <= shot.time_s < end_s])
        if shot is not None and self._box_error is not None:
            raise self._box_error
        return shot
