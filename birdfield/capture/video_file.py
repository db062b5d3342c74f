"""Video files: a camera that reads a file forward once."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from birdfield.capture.frame_size import oversize
from birdfield.capture.shot import Shot, choose_shot, look_for_motion
from birdfield.errors import InputError
from birdfield.signals.boxes import Box
from birdfield.signals.camera_frame import view_of
from birdfield.signals.image import Frame
from birdfield.signals.motion import LOOK_INTERVAL_S, MotionGate
from birdfield.signals.usability import ChangeTimer

DEFAULT_FPS = 25.0  # of a file that states no frame rate from 0 to MAX_FPS
MAX_FPS = 1000.0


class VideoFile:
    """A video file, read forward once in its own time. Not thread-safe.

    Attributes:
        name: The path.
        end_s: The end of the last frame that was decoded.
    """

    live = False
    defects = 0
    throttled = False
    loss = None

    def __init__(self, path: Path, box: Box | None = None, zones: Sequence[Box] = ()) -> None:
        """Open the file.

        Args:
            path: An MP4, AVI or MKV file.
            box: The part of each frame that is used.
            zones: Boxes that are made black, in pixels of the whole frame.

        Raises:
            InputError: When it is not a video, or the box does not lie within its frames.
        """
        self.name = str(path)
        if not path.is_file():
            raise InputError(
                f"{path}: no such video file; expected a file, a device's number "
                "such as 0, a URL or none"
            )
        self._box, self._zones = box, zones
        self._change, self._gate = ChangeTimer(), MotionGate()
        self._next_look_s = 0.0
        # An absolute path, since FFmpeg reads the text before a colon as a protocol.
        self._capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
        if too_large := oversize(self._capture):
            self._capture.release()
            raise InputError(f"{path}: {too_large}; make a smaller copy")
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self._step_s = 1 / (fps if 0 < fps < MAX_FPS else DEFAULT_FPS)
        self.end_s = 0.0
        self._last: Shot | None = None
        self._last_moving: Shot | None = None
        self._next = self._read()
        if self._next is None:
            raise InputError(f"{path}: not a video that can be decoded; expected MP4, AVI or MKV")

    def _read(self) -> Shot | None:
        """Decode the next frame; return None at the end of the file."""
        read, image = self._capture.read()
        if not read:
            self._capture.release()
            return None
        stamp_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        # Where the time stamps are unusable, derive the time from the frame rate.
        time_s = stamp_s if stamp_s > self.end_s - self._step_s else self.end_s
        self.end_s = time_s + self._step_s
        return self._look(np.asarray(image, np.uint8), time_s)

    def _look(self, frame: Frame, time_s: float) -> Shot:
        unchanged_s = self._change.unchanged_s(frame, time_s)
        frame = view_of(frame, self._box, self._zones)
        if time_s < self._next_look_s:
            return Shot(frame, time_s, unchanged_s, still=True)
        self._next_look_s = time_s + LOOK_INTERVAL_S
        return look_for_motion(self._gate, frame, time_s, unchanged_s)

    @property
    def ended(self) -> bool:
        """Whether the caller has asked for the last frame."""
        return self._next is None

    def best_shot(self, start_s: float, end_s: float) -> Shot | None:
        """Read on to end_s; return the last shot in [start_s, end_s) with motion, else the last."""
        while self._next is not None and self._next.time_s < end_s:
            self._last, self._next = self._next, self._read()
            if not self._last.still:
                self._last_moving = self._last
        return choose_shot(
            [
                shot
                for shot in (self._last_moving, self._last)
                if shot is not None and shot.time_s >= start_s
            ]
        )

    def close(self) -> None:
        """Release the file."""
        self._capture.release()
