"""Sound by HTTP, from a server of the test's own."""

import logging
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from devices import TONE_HZ, dominant_hz, mjpeg_camera, wait_for

from birdfield.errors import MissingError
from birdfield.microphone import open_microphone
from birdfield.network_microphone import NetworkMicrophone

RATE_HZ = 44_100
BLOCK_S = 0.1


class _Sound(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Send a stereo WAV without an end: the tone on the left, at real pace."""
        self.send_response(200)
        self.send_header("Content-Type", "audio/wav")
        self.end_headers()
        count = round(BLOCK_S * RATE_HZ)
        left = 0.5 * np.sin(2 * np.pi * TONE_HZ * np.arange(count) / RATE_HZ)
        block = (np.stack([left, np.zeros(count)], 1) * 32_767).astype("<i2").tobytes()
        header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 0xFFFFFFFF, b"WAVE", b"fmt ", 16, 1, 2,
                             RATE_HZ, RATE_HZ * 4, 4, 16, b"data", 0xFFFFFFFF)
        try:
            self.wfile.write(header + block * 20)  # as servers do: a start from their buffer
            while not self.server.stopping.wait(BLOCK_S):  # type: ignore[attr-defined]
                self.wfile.write(block)
        except OSError:  # the other side left
            return

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


@contextmanager
def serving(port: int = 0) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", port), _Sound)
    server.stopping = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.stopping.set()  # type: ignore[attr-defined]
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def listening(url: str) -> Iterator[NetworkMicrophone]:
    pytest.importorskip("av", reason="PyAV is not installed: birdfield[network]")
    microphone = open_microphone(url, 16_000)
    assert isinstance(microphone, NetworkMicrophone)
    try:
        yield microphone
    finally:
        microphone.close()


def hears_tone(microphone: NetworkMicrophone) -> bool:
    """Tell whether the last 1.5 s are the tone, at half its level: the mean of both channels."""
    now_s = time.monotonic()
    waveform = microphone.window(now_s - 1.5, now_s)
    return (waveform is not None and abs(dominant_hz(waveform) - TONE_HZ) < 3
            and 0.2 < np.abs(waveform).max() < 0.3)


@pytest.mark.devices
def test_sound_of_the_network_is_heard(
        caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "birdfield")
    with serving() as port, listening(f"http://127.0.0.1:{port}/") as microphone:
        wait_for(lambda: hears_tone(microphone), 10, "the tone")
        assert not caplog.messages
    assert microphone.name == f"http://127.0.0.1:{port}/" and microphone.live


@pytest.mark.devices
def test_a_server_that_dies_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "birdfield")
    with serving() as port:
        pass
    with listening(f"http://127.0.0.1:{port}/?token=secret") as microphone:
        wait_for(lambda: bool(caplog.messages), 10, "the warning")
        with serving(port):
            wait_for(lambda: hears_tone(microphone), 10, "the tone")
        wait_for(lambda: len(caplog.messages) == 3, 10, "the loss")
    lost, back, again = (message.split("?token=*** ")[0] for message in caplog.messages)
    assert lost == again == f"microphone lost: http://127.0.0.1:{port}/"
    assert back == "microphone is back"
    assert "secret" not in caplog.text


@pytest.mark.devices
def test_a_camera_without_sound_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with mjpeg_camera() as port, listening(f"http://127.0.0.1:{port}/"):
        wait_for(lambda: bool(caplog.messages), 15, "the warning")
    assert caplog.messages == [
        f"microphone lost: http://127.0.0.1:{port}/ sends no sound; trying again"]


def test_a_missing_pyav_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingError, match="run: pip install 'birdfield.network.'"):
        open_microphone("rtsp://10.0.0.5/bird", 16_000)
