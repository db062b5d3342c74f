"""Network cameras: MJPEG, RTSP and a named pipe, served on this machine."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import pytest
from frames import scenery, still_frame, visited_frame
from http_server import QuietHandler, StreamServer, serving
from waiting import wait_for

FPS = 10
SYSTEM_PYTHON = "/usr/bin/python3"  # the Python that has GStreamer's bindings

RTSP_SERVER = """
import sys
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
for element in ("videotestsrc", "x264enc", "rtph264pay"):
    assert Gst.ElementFactory.find(element), f"GStreamer lacks {element}"
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch("videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,"
                   "framerate=10/1 ! x264enc tune=zerolatency speed-preset=ultrafast "
                   "key-int-max=10 ! rtph264pay name=pay0 pt=96")
server.get_mount_points().add_factory("/bird", factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
"""


class _MjpegServer(StreamServer):
    """The state of an MJPEG camera, which all its readers see."""

    hangs: threading.Event
    freezes: threading.Event
    picture: Callable[[int], bytes]
    number = 0


class _MjpegHandler(QuietHandler):
    server: _MjpegServer

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        while not self.server.stopping.wait(1 / FPS):
            if self.server.hangs.is_set():
                continue
            self.server.number += not self.server.freezes.is_set()
            jpeg = self.server.picture(self.server.number)
            try:
                self.wfile.write(
                    b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: "
                    b"%d\r\n\r\n%s\r\n" % (len(jpeg), jpeg)
                )
            except OSError:  # the client has left
                return


def encoded(frame: np.ndarray) -> bytes:
    """Return a frame as a JPEG."""
    return bytes(cv2.imencode(".jpg", frame)[1])


@contextmanager
def mjpeg_camera(
    port: int = 0,
    hangs: threading.Event | None = None,
    still: bool = False,
    freezes: threading.Event | None = None,
    visits: bool = False,
    jpegs: Sequence[bytes] = (),
) -> Iterator[int]:
    """Serve a camera of FPS frames a second on 127.0.0.1; yield its port.

    Args:
        port: The port; 0 for a free one.
        hangs: While it is set, the camera answers but sends no frame.
        still: Whether only the lowest bits change, as in a scene without motion.
        freezes: While it is set, the camera repeats one frame.
        visits: Whether something moves for 4 of every 8 s, each time elsewhere; continuous motion
            in one place becomes background.
        jpegs: The pictures to send in turn, each for half a second, in place of a garden.
    """
    server = _MjpegServer(port, _MjpegHandler)
    server.hangs, server.freezes = hangs or threading.Event(), freezes or threading.Event()
    frame = still_frame if still else visited_frame if visits else scenery

    def picture(number: int) -> bytes:
        return jpegs[number * 2 // FPS % len(jpegs)] if jpegs else encoded(frame(number))

    server.picture = picture
    with serving(server) as bound:
        yield bound


@contextmanager
def rtsp_camera(port: int = 0) -> Iterator[int]:
    """Serve H.264 by RTSP on 127.0.0.1 at /bird; yield the port, or skip the test.

    At the end the server is killed, as by a power cut of the camera.
    """
    if not Path(SYSTEM_PYTHON).exists():
        pytest.skip(f"no RTSP server: there is no {SYSTEM_PYTHON}")
    server = subprocess.Popen(
        [SYSTEM_PYTHON, "-c", RTSP_SERVER, str(port)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with server:
        assert server.stdout is not None and server.stderr is not None
        try:
            bound = server.stdout.readline().strip()
            if not bound:
                reason = server.stderr.read().strip().splitlines()[-1]
                pytest.skip(f"no RTSP server (gir1.2-gst-rtsp-server-1.0): {reason}")
            yield int(bound)
        finally:
            server.kill()


def write_film(path: Path, count: int) -> bytes:
    """Write an AVI of FPS frames a second, and return its bytes."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (128, 96))
    for seed in range(count):
        writer.write(scenery(seed))
    writer.release()
    return path.read_bytes()


@contextmanager
def pipe_camera(path: Path) -> Iterator[Callable[[], None]]:
    """Send a film of a minute through a named pipe; yield a function that stops it.

    The pipe stays open then, so that a read of it blocks, and no timeout of FFmpeg ends the read.
    """
    stopped, over = threading.Event(), threading.Event()
    count = 60 * FPS
    film = write_film(path.with_suffix(".avi"), count)
    chunk = len(film) // count

    def send() -> None:
        while not over.is_set():  # a reader that takes too long to open the film leaves
            with suppress(BrokenPipeError), path.open("wb", buffering=0) as pipe:
                send_to(pipe)

    def send_to(pipe: BinaryIO) -> None:
        pipe.write(film[: 30 * chunk])
        for start in range(30 * chunk, len(film), chunk):
            if over.wait(1 / FPS):
                return
            while stopped.is_set() and not over.wait(0.1):
                pass
            pipe.write(film[start : start + chunk])

    if not path.exists():
        os.mkfifo(path)
    thread = threading.Thread(target=send, daemon=True)  # opening a pipe waits for a reader
    thread.start()
    try:
        yield stopped.set
    finally:
        over.set()
        thread.join(5)
        # A reader sees the end of the pipe only while nobody has it open for writing.
        wait_for(lambda: not _has_reader(path), "the pipe's readers to leave")


def _has_reader(pipe: Path) -> bool:
    """Return whether a pipe has a reader; opening it for writing fails without one."""
    try:
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    time.sleep(0.2)
    return True
