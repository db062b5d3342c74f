"""Sound servers: a network microphone and PulseAudio, on this machine."""

import itertools
import json
import logging
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import pytest
import soundfile
from http_server import QuietHandler, StreamServer, serving
from spectra import dominant_hz
from waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
TONE_HZ = 3000
BLOCK_S = 0.1
BUFFERED_BLOCKS = 20  # sent at once, as from the buffer of a server


class _SoundServer(StreamServer):
    sound: np.ndarray
    rate_hz: int


def _wav_header(sound: np.ndarray, rate_hz: int) -> bytes:
    """Return the header of a WAV without an end, of 16-bit integers or 32-bit floats."""
    channels, size = sound.shape[1], sound.itemsize
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        0xFFFFFFFF,
        b"WAVE",
        b"fmt ",
        16,
        3 if sound.dtype.kind == "f" else 1,
        channels,
        rate_hz,
        rate_hz * size * channels,
        size * channels,
        8 * size,
        b"data",
        0xFFFFFFFF,
    )


class _SoundHandler(QuietHandler):
    server: _SoundServer

    def do_GET(self) -> None:
        """Send a WAV without an end, at real pace."""
        sound, rate_hz = self.server.sound, self.server.rate_hz
        count = round(BLOCK_S * rate_hz)
        self.send_response(200)
        self.send_header("Content-Type", "audio/wav")
        self.end_headers()
        try:
            self.wfile.write(_wav_header(sound, rate_hz))
            for number in itertools.count():
                samples = np.arange(number * count, (number + 1) * count) % len(sound)
                self.wfile.write(sound[samples].tobytes())
                if number >= BUFFERED_BLOCKS and self.server.stopping.wait(BLOCK_S):
                    return
        except OSError:  # the client has left
            return


@contextmanager
def network_microphone(sound: np.ndarray, rate_hz: int, port: int = 0) -> Iterator[int]:
    """Serve sound, int16 or float32 [N, channels], in a loop by HTTP; yield the port."""
    server = _SoundServer(port, _SoundHandler)
    server.sound, server.rate_hz = sound, rate_hz
    with serving(server) as bound:
        yield bound


class PulseAudio:
    """A sound server for one test, whose microphone records what is played to it.

    Attributes:
        env: The environment of the programs that use it.
    """

    def __init__(self, folder: Path) -> None:
        """Prepare the server in a folder with a short path; skip the test without PulseAudio."""
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
        """Run the server; at the end it is killed, as by a crash or a pulled USB cable."""
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
    def playing(self, sound: Path) -> Iterator[None]:
        """Play a sound file into the microphone."""
        player = subprocess.Popen(
            ["paplay", str(sound)],
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
    def playing_tone(self) -> Iterator[None]:
        """Play a tone of TONE_HZ into the microphone."""
        path = self._folder / "tone.wav"
        seconds = np.arange(44_100 * 30) / 44_100
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * TONE_HZ * seconds), 44_100)
        with self.playing(path):
            yield

    @contextmanager
    def listening(self) -> Iterator[Callable[[], list[dict[str, Any]]]]:
        """Run `listen` in a process; yield a function that returns its lines so far."""
        path = self._folder / "heard.jsonl"
        with path.open("wb") as heard, (self._folder / "listen.log").open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-c", "from sound_servers import listen; listen()"],
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


class _JsonHandler(logging.Handler):
    """A log handler that prints each message as a JSON line."""

    def emit(self, record: logging.LogRecord) -> None:
        print(json.dumps({"log": record.getMessage()}), flush=True)


def listen() -> None:
    """Print a JSON line on the last second of the default microphone, twice a second."""
    from birdfield.capture.live_microphone import LiveMicrophone

    logging.basicConfig(level=logging.INFO, handlers=[_JsonHandler()])
    microphone = LiveMicrophone("default", 16_000)
    while True:
        time.sleep(0.5)
        now_s = time.monotonic()
        waveform = microphone.window(now_s - 1.2, now_s)
        hz = None if waveform is None else dominant_hz(waveform)
        level = 0.0 if waveform is None else float(np.abs(waveform).max())
        print(json.dumps({"hz": hz, "level": level}), flush=True)
