"""Real devices for tests: network cameras and a sound server of their own, on this machine."""

import itertools
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import which
from typing import Any, BinaryIO

import cv2
import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]
TONE_HZ = 3000
SOUND_BLOCK_S = 0.1
PATIENCE_S = 90.0  # that a test waits for something: machines may be slow, and busy
SYSTEM_PYTHON = "/usr/bin/python3"  # the one that has GStreamer's bindings

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


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Poll until the condition holds; fail the test with what was waited for."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end_s:
            pytest.fail(f"waited {PATIENCE_S:g} s in vain for {what}")
        time.sleep(0.05)


def scenery(seed: int, bgr: tuple[int, int, int] = (90, 120, 140)) -> np.ndarray:
    """Make a frame [96, 128, 3] of one colour with shapes in it, different for each seed."""
    noise = np.random.default_rng(seed).integers(-40, 40, (12, 16, 1))
    blocks = np.clip(np.array(bgr) + noise, 0, 255).astype(np.uint8)
    return cv2.resize(blocks, (128, 96), interpolation=cv2.INTER_NEAREST)


def grainy(number: int) -> np.ndarray:
    """Make a frame of a garden in which only the lowest bits change, as by a sensor's noise.

    No two frames are alike: of two that took turns, one look in ten would see the same for ever.
    """
    picture = scenery(0)
    noise = np.random.default_rng(number).integers(0, 2, picture.shape, np.uint8)
    return np.asarray(picture ^ noise)


def visited(number: int) -> np.ndarray:
    """Make a frame of a garden in which a disc is for 40 frames of 80, each time elsewhere."""
    picture = grainy(number)
    visit, frame = divmod(number, 80)
    if frame < 40:
        left, top = np.random.default_rng(visit).integers(20, 70, 2)
        centre = (int(left + frame % 10), int(top))
        cv2.circle(picture, centre, 14, (200, 40 + visit % 100, 30), -1)
    return picture


class _Stream(BaseHTTPRequestHandler):
    server: "_Server"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        while not self.server.stopping.wait(0.1):
            if self.server.hangs.is_set():
                continue
            self.server.seed += not self.server.freezes.is_set()
            seed = self.server.seed
            picture = scenery(seed)
            if self.server.still:
                picture = grainy(seed)
            elif self.server.visited:
                picture = visited(seed)
            jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
            try:
                self.wfile.write(
                    b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: "
                    b"%d\r\n\r\n%s\r\n" % (len(jpeg), jpeg)
                )
            except OSError:  # the other side left
                return

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


def write_film(path: Path, count: int) -> bytes:
    """Write an AVI of 10 frames a second; returns its bytes."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (128, 96))
    for seed in range(count):
        writer.write(scenery(seed))
    writer.release()
    return path.read_bytes()


@contextmanager
def pipe_camera(path: Path) -> Iterator[Callable[[], None]]:
    """Send a film of a minute down a named pipe, on which a read blocks; gives what stops it.

    What stops it leaves the pipe open: no timeout of FFmpeg ends a read of that.
    """
    stopped, over = threading.Event(), threading.Event()

    film = write_film(path.with_suffix(".avi"), 600)
    chunk = len(film) // 600

    def send() -> None:
        while not over.is_set():  # a reader may leave, as one does that opens for too long
            with suppress(BrokenPipeError), path.open("wb", buffering=0) as pipe:
                send_to(pipe)

    def send_to(pipe: BinaryIO) -> None:
        pipe.write(film[: 30 * chunk])
        for start in range(30 * chunk, len(film), chunk):
            if over.wait(0.1):
                return
            while stopped.is_set() and not over.wait(0.1):
                pass
            pipe.write(film[start : start + chunk])

    if not path.exists():
        os.mkfifo(path)
    thread = threading.Thread(target=send, daemon=True)  # opening waits for a reader
    thread.start()
    try:
        yield stopped.set
    finally:
        over.set()
        thread.join(5)
        # Readers learn of the end only while nobody writes; ENXIO: all have.
        wait_for(lambda: not _is_read(path), "the pipe's readers to leave")


def _is_read(pipe: Path) -> bool:
    try:
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    time.sleep(0.2)
    return True


class _Server(ThreadingHTTPServer):
    stopping: threading.Event
    hangs: threading.Event
    freezes: threading.Event
    still: bool
    visited: bool
    seed = 0


@contextmanager
def _serving(server: "_Server | _SoundServer") -> Iterator[int]:
    """Let a server answer in a thread of its own; gives its port."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def mjpeg_camera(
    port: int = 0,
    hangs: threading.Event | None = None,
    still: bool = False,
    freezes: threading.Event | None = None,
    visits: bool = False,
) -> Iterator[int]:
    """Serve a network camera of 10 frames a second on 127.0.0.1; gives its port.

    While `hangs` is set it answers without sending a frame; while `freezes` is, it sends one and
    the same. Of a `still` scene only the lowest bit changes; with `visits` something comes to it
    each 8 s, as what moves on and on in one place is taken for background.
    """
    server = _Server(("127.0.0.1", port), _Stream)
    server.stopping, server.hangs = threading.Event(), hangs or threading.Event()
    server.freezes, server.still = freezes or threading.Event(), still
    server.visited = visits
    with _serving(server) as bound:
        yield bound


@contextmanager
def rtsp_camera(port: int = 0) -> Iterator[int]:
    """Serve H.264 by RTSP on 127.0.0.1 at /bird; gives the port, or skips the test.

    In the end the server is killed, as by a power cut of the camera.
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


class _Sound(BaseHTTPRequestHandler):
    server: "_SoundServer"

    def do_GET(self) -> None:
        """Send a WAV without an end, at real pace."""
        sound, rate_hz = self.server.sound, self.server.rate_hz
        channels, count = sound.shape[1], round(SOUND_BLOCK_S * rate_hz)
        self.send_response(200)
        self.send_header("Content-Type", "audio/wav")
        self.end_headers()
        header = struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            b"RIFF",
            0xFFFFFFFF,
            b"WAVE",
            b"fmt ",
            16,
            1,
            channels,
            rate_hz,
            rate_hz * 2 * channels,
            2 * channels,
            16,
            b"data",
            0xFFFFFFFF,
        )
        try:
            self.wfile.write(header)
            for number in itertools.count():
                at = np.arange(number * count, (number + 1) * count) % len(sound)
                self.wfile.write(sound[at].tobytes())
                # As servers do, the first 2 s come from its buffer.
                if number >= 20 and self.server.stopping.wait(SOUND_BLOCK_S):
                    return
        except OSError:  # the other side left
            return

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


class _SoundServer(ThreadingHTTPServer):
    stopping: threading.Event
    sound: np.ndarray
    rate_hz: int


@contextmanager
def network_microphone(sound: np.ndarray, rate_hz: int, port: int = 0) -> Iterator[int]:
    """Serve sound, int16 [N, channels], again and again by HTTP on 127.0.0.1; gives the port."""
    server = _SoundServer(("127.0.0.1", port), _Sound)
    server.stopping, server.sound, server.rate_hz = threading.Event(), sound, rate_hz
    with _serving(server) as bound:
        yield bound


class PulseAudio:
    """A sound server of the test's own, whose microphone hears what is played to it."""

    def __init__(self, folder: Path) -> None:
        """Prepare it in a folder of a short name; skips the test when it is not installed."""
        for program in ("pulseaudio", "paplay"):
            if which(program) is None:
                pytest.skip(
                    f"no sound server: {program} is not installed "
                    "(pulseaudio, pulseaudio-utils, libasound2-plugins)"
                )
        self._folder = folder
        (folder / "asound.conf").write_text(
            "pcm.!default { type pulse }\nctl.!default { type pulse }\n"
        )
        runtime = folder / "run"
        runtime.mkdir(mode=0o700)
        self._socket = runtime / "field"
        self.env = {
            **os.environ,
            "XDG_RUNTIME_DIR": str(runtime),
            "HOME": str(folder),
            "PULSE_SERVER": f"unix:{self._socket}",
            "PULSE_LATENCY_MSEC": "50",
            "ALSA_CONFIG_PATH": str(folder / "asound.conf"),
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests" / "support"))),
        }

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the server; in the end it is killed, as by a crash or a pulled USB cable."""
        with (self._folder / "pulseaudio.log").open("ab") as log:
            server = subprocess.Popen(
                [
                    "pulseaudio",
                    "-n",
                    "--daemonize=no",
                    "--exit-idle-time=-1",
                    "--disallow-exit",
                    "--use-pid-file=no",
                    "--log-target=stderr",
                    "--load=module-null-sink sink_name=field",
                    f"--load=module-native-protocol-unix auth-anonymous=1 socket={self._socket}",
                ],
                env=self.env,
                stdout=log,
                stderr=log,
            )
        try:
            wait_for(self._socket.exists, "PulseAudio's socket")
            yield
        finally:
            server.kill()
            server.wait()
            self._socket.unlink(missing_ok=True)

    @contextmanager
    def playing_tone(self) -> Iterator[None]:
        """Play TONE_HZ into the microphone meanwhile."""
        path = self._folder / "tone.wav"
        seconds = np.arange(44_100 * 30) / 44_100
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * TONE_HZ * seconds), 44_100)
        player = subprocess.Popen(
            ["paplay", str(path)],
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            player.kill()
            player.wait()

    @contextmanager
    def listening(self) -> Iterator[Callable[[], list[dict[str, Any]]]]:
        """Run listen() in a process of its own; gives what it has heard and logged so far."""
        path = self._folder / "heard.jsonl"
        with path.open("wb") as heard, (self._folder / "listen.log").open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-c", "from devices import listen; listen()"],
                env=self.env,
                stdout=heard,
                stderr=errors,
            )
        try:
            yield lambda: [
                json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")
            ]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def dominant_hz(waveform: np.ndarray, rate_hz: float = 16_000) -> float:
    """Return the frequency of the strongest component of a waveform [N]."""
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return float(np.argmax(spectrum) * rate_hz / len(waveform))


def listen() -> None:
    """Print a JSON line on the last second of the default microphone, twice a second."""
    import logging

    from birdfield.capture.live_microphone import LiveMicrophone

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            print(json.dumps({"log": record.getMessage()}), flush=True)

    logging.basicConfig(level=logging.INFO, handlers=[Lines()])
    microphone = LiveMicrophone("default", 16_000)
    while True:
        time.sleep(0.5)
        now_s = time.monotonic()
        waveform = microphone.window(now_s - 1.2, now_s)
        hz = None if waveform is None else dominant_hz(waveform)
        level = 0.0 if waveform is None else float(np.abs(waveform).max())
        print(json.dumps({"hz": hz, "level": level}), flush=True)
