"""Cameras and video files: timestamped frames behind one interface."""

import math
import os
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from birdfield.capture.pi_camera import PI_CAMERA, PiCapture, load_picamera2
from birdfield.capture.source import LiveSource, Source
from birdfield.capture.supervisor import HANG_S, ReadAttempt, SourceSupervisor
from birdfield.errors import InputError, UsageError
from birdfield.redaction import mask_url
from birdfield.signals.image import Frame
from birdfield.signals.motion import LOOK_INTERVAL_S, Box, MotionGate
from birdfield.signals.usability import ChangeTimer, frame_fault

OPEN_TIMEOUT_S = 10  # of a network camera
READ_TIMEOUT_S = 5  # without a frame, a camera counts as lost
# OpenCV reads these two when it opens the first camera.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(READ_TIMEOUT_S))
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg may print URLs with passwords

KEPT_FRAMES = 8  # of a live camera, at least LOOK_INTERVAL_S apart: a window may be asked for late
STILL_LOOK_INTERVAL_S = 1.0  # from one look to the next at a live scene in which nothing moves
THROTTLED_LOOK_INTERVAL_S = 2.0  # while the machine is to do less
STALE_S = 30.0  # of one picture, bit by bit, before the camera is opened anew, at first
LAST_STALE_S = 1800.0  # at last


@dataclass(frozen=True)
class Shot:
    """A look at a scene.

    Attributes:
        frame: uint8 [H, W, 3], BGR.
        time_s: When it was taken.
        unchanged_s: How long ago the picture last changed.
        still: Whether nothing moved, by `birdfield.motion`.
        box: Where it moved, in pixels of the frame; None when nothing did, or all of it.
    """

    frame: Frame
    time_s: float
    unchanged_s: float
    still: bool = False
    box: Box | None = None

    @property
    def subject(self) -> Frame:
        """What moved, cut out of the frame; all of it where nothing did."""
        return crop(self.frame, self.box)


def choose_shot(shots: Sequence[Shot]) -> Shot | None:
    """Choose of the shots of a window, in order: the last in which something moved.

    It is the last of all where none did, or where that one shows a camera that is of no use now.
    """
    if not shots:
        return None
    newest, moved = shots[-1], [shot for shot in shots if not shot.still]
    if not moved or frame_fault(newest.frame, 0.0):
        return newest
    return replace(moved[-1], unchanged_s=newest.unchanged_s)


class Camera(Source, Protocol):
    """A source of frames."""

    throttled: bool  # set while the machine is to do less; a live camera is looked at less often

    def best_shot(self, start_s: float, end_s: float) -> Shot | None:
        """Return the last shot in [start_s, end_s) that moved, or the last; starts only grow."""


def open_camera(
    spec: str, box: Box | None = None, wait_s: float = 0.0, zones: Sequence[Box] = ()
) -> Camera | None:
    """Open the camera that a user named.

    Args:
        spec: "none", a device's number or /dev path, a URL, "picamera2", or a video file.
        box: What to cut from each frame.
        wait_s: How long a live camera's frames wait for the sound of their time.
        zones: What is made black in each frame, in the camera's own pixels.

    Returns:
        A VideoFile or a LiveCamera, or None for "none".

    Raises:
        InputError: When a video file cannot be read or the box lies outside of its frames.
        MissingError: When the Pi's own camera is asked for and Picamera2 is not installed.
    """
    if spec == "none":
        return None
    if spec == PI_CAMERA:
        load_picamera2()
        return LiveCamera(spec, box, wait_s, zones)
    if spec.isdecimal() or spec.startswith("/dev/") or "://" in spec:
        return LiveCamera(spec, box, wait_s, zones)
    return VideoFile(Path(spec), box, zones)


def parse_box(text: str, what: str = "crop") -> Box:
    """Read "X,Y,W,H" in pixels; raises UsageError, naming what it is of, when it is not that."""
    if not re.fullmatch(r"\d{1,6},\d{1,6},\d{1,6},\d{1,6}", text):
        raise UsageError(f"{what} is {text!r}; expected X,Y,W,H in pixels, such as 100,50,640,480")
    left, top, width, height = (int(part) for part in text.split(","))
    if not width or not height:
        raise UsageError(f"{what} {text!r} is empty; expected a width and a height of at least 1")
    return left, top, width, height


def look_for_motion(
    gate: MotionGate, frame: Frame, view: Frame, time_s: float, unchanged_s: float
) -> Shot:
    """Look for motion in the view, a part of the frame."""
    motion = gate.look(view, time_s)
    return Shot(frame, time_s, unchanged_s, not motion.moving, motion.box)


def crop(frame: Frame, box: Box | None) -> Frame:
    """Cut a box from a frame [H, W, 3]; raises InputError when it does not lie within."""
    if box is None:
        return frame
    left, top, width, height = box
    rows, columns = frame.shape[:2]
    if left + width > columns or top + height > rows:
        raise InputError(
            f"crop {left},{top},{width},{height} reaches outside of the frame of "
            f"{columns}x{rows} pixels; choose X+W <= {columns} and Y+H <= {rows}"
        )
    return frame[top : top + height, left : left + width]


def black_out(frame: Frame, zones: Sequence[Box]) -> Frame:
    """Return a frame [H, W, 3] with zones made black; the given one is left alone."""
    if not zones:
        return frame
    frame = frame.copy()
    for left, top, width, height in zones:
        frame[top : top + height, left : left + width] = 0
    return frame


class VideoFile:
    """A video file, read forward once by its own clock. Not thread-safe."""

    live = False
    throttled = False
    loss = None

    def __init__(self, path: Path, box: Box | None = None, zones: Sequence[Box] = ()) -> None:
        """Open the file; raises InputError when it is no video or the box is outside of it."""
        self.name = str(path)
        if not path.is_file():
            raise InputError(
                f"{path}: no such video file; expected a file, a device's number "
                "such as 0, a URL or none"
            )
        self._box, self._zones = box, zones
        self._change, self._gate = ChangeTimer(), MotionGate()
        self._next_look_s = 0.0
        # Absolute, since FFmpeg takes what stands before a colon for a protocol.
        self._capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self._step_s = 1 / fps if 0 < fps < 1000 else 1 / 25
        self.end_s = 0.0
        self._last: Shot | None = None
        self._moved: Shot | None = None
        self._next = self._read()
        if self._next is None:
            raise InputError(f"{path}: not a video that can be decoded; expected MP4, AVI or MKV")

    def _read(self) -> Shot | None:
        read, image = self._capture.read()
        if not read:
            self._capture.release()
            return None
        stamp_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        # A file without usable stamps goes by its frame rate.
        time_s = stamp_s if stamp_s > self.end_s - self._step_s else self.end_s
        self.end_s = time_s + self._step_s
        frame = np.asarray(image, np.uint8)
        unchanged_s = self._change.unchanged_s(frame, time_s)
        frame = crop(black_out(frame, self._zones), self._box)
        if time_s < self._next_look_s:
            return Shot(frame, time_s, unchanged_s, still=True)
        self._next_look_s = time_s + LOOK_INTERVAL_S
        return look_for_motion(self._gate, frame, frame, time_s, unchanged_s)

    @property
    def ended(self) -> bool:
        """Whether the last frame has been asked for."""
        return self._next is None

    def best_shot(self, start_s: float, end_s: float) -> Shot | None:
        """Read on to end_s; returns the last shot in [start_s, end_s) that moved, or the last."""
        while self._next is not None and self._next.time_s < end_s:
            self._last, self._next = self._next, self._read()
            if not self._last.still:
                self._moved = self._last
        return choose_shot(
            [
                shot
                for shot in (self._moved, self._last)
                if shot is not None and shot.time_s >= start_s
            ]
        )

    def close(self) -> None:
        """Release the file."""
        self._capture.release()


class Capture(Protocol):
    """What is read of a live camera: what OpenCV's VideoCapture does."""

    def isOpened(self) -> bool:  # noqa: N802
        """Tell whether there is a camera."""

    def grab(self) -> bool:
        """Wait for the next frame; False when the camera is lost."""

    def retrieve(self) -> tuple[bool, Any]:
        """Decode the frame that was grabbed: whether that worked, BGR uint8 [H, W, 3]."""

    def release(self) -> None:
        """Let the camera go."""


class LiveCamera(LiveSource):
    """A device or a network camera, read under a watchdog and reconnected when lost."""

    def __init__(
        self, spec: str, box: Box | None = None, wait_s: float = 0.0, zones: Sequence[Box] = ()
    ) -> None:
        """Start reading the device's number, its /dev path, a URL or "picamera2".

        Frames are kept for wait_s longer where they are asked for so much later.
        """
        self.name = mask_url(spec)
        self.throttled = False
        self.dropped = 0  # frames that were not looked at: the newest is, when a look is due
        self._spec = spec
        self._box, self._zones = box, zones
        self._fits = False  # the box lay within the frames so far
        self._shots: list[Shot] = []
        self._kept = KEPT_FRAMES + math.ceil(wait_s / LOOK_INTERVAL_S)
        self._lock = threading.Lock()
        self._change = ChangeTimer()  # one for all connections: a reopened camera may still hang
        self._patience_s = STALE_S
        self._watchdog = SourceSupervisor("camera", self.name, self._read, HANG_S)

    def _open(self) -> Capture:
        if self._spec == PI_CAMERA:
            return PiCapture()
        if self._spec.isdecimal():
            return cv2.VideoCapture(int(self._spec))
        if self._spec.startswith("/dev/"):
            return cv2.VideoCapture(self._spec, cv2.CAP_V4L2)
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

    def _read(self, turn: ReadAttempt) -> str:
        capture = self._open()
        gate = MotionGate()
        opened_s, next_look_s = time.monotonic(), 0.0
        try:
            if not capture.isOpened():
                return "cannot be opened"
            turn.beat()
            while not turn.over and capture.grab():
                turn.beat()
                # All frames are taken from the source, or the next would be an old one.
                time_s = time.monotonic()
                if time_s < next_look_s:
                    self.dropped += 1
                    continue
                read, image = capture.retrieve()
                if not read or turn.over:
                    break
                frame = np.asarray(image, np.uint8)
                unchanged_s = self._change.unchanged_s(frame, time_s)
                frame = black_out(frame, self._zones)
                view = self._view(frame)
                if view is None:
                    return (
                        f"gives frames of {frame.shape[1]}x{frame.shape[0]} pixels, which the "
                        "crop reaches outside of"
                    )
                shot = look_for_motion(gate, frame, view, time_s, unchanged_s)
                self._keep(shot)
                if self._stale(shot, time_s - opened_s):
                    turn.at_once = True
                    return "gives the same picture again and again"
                next_look_s = time_s + self._pause_s(shot)
            return "gives no more frames"
        except cv2.error:  # its text may hold the URL
            return "gives frames that OpenCV cannot read"
        finally:
            capture.release()

    def _stale(self, shot: Shot, open_s: float) -> bool:
        """Tell whether a camera is to be opened anew because its picture never changes.

        Each time, it is given twice as long: a dark night looks the same.
        """
        if shot.unchanged_s < STALE_S:
            self._watchdog.outage.working()
            self._patience_s = STALE_S
            return False
        stale = min(shot.unchanged_s, open_s) >= self._patience_s
        if stale:
            self._patience_s = min(2 * self._patience_s, LAST_STALE_S)
        return stale

    def _view(self, frame: Frame) -> Frame | None:
        """Cut the user's box out; None where it lies outside, and lay within before.

        If it never did, it is wrong, which `newest` tells.
        """
        try:
            view = crop(frame, self._box)
        except InputError:
            return None if self._fits else frame
        self._fits = True
        return view

    def _pause_s(self, shot: Shot) -> float:
        if self.throttled:
            return THROTTLED_LOOK_INTERVAL_S
        return STILL_LOOK_INTERVAL_S if shot.still else LOOK_INTERVAL_S

    def _keep(self, shot: Shot) -> None:
        with self._lock:
            self._shots = [*self._shots[1 - self._kept :], shot]

    def best_shot(self, start_s: float, end_s: float) -> Shot | None:
        """Return the last kept frame within [start_s, end_s) of time.monotonic() that moved.

        Where none did, it is the last.

        Raises:
            InputError: When the crop lies outside of the camera's frames.
        """
        with self._lock:
            shot = choose_shot([shot for shot in self._shots if start_s <= shot.time_s < end_s])
        return None if shot is None else replace(shot, frame=crop(shot.frame, self._box))
