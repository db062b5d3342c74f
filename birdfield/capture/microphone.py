"""Microphones and sound files: windows of sound at a wanted rate behind one interface."""

import contextlib
import importlib
import logging
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from birdfield.capture.network_microphone import NetworkMicrophone
from birdfield.capture.sound_ring import MIN_WINDOW_S, SoundRing
from birdfield.capture.source import LiveSource, Source
from birdfield.capture.supervisor import HANG_S, ReadAttempt, SourceSupervisor
from birdfield.errors import InputError, MissingError
from birdfield.signals.audio import AUDIO_SUFFIXES, Resampler, Waveform, read_blocks, to_mono

BLOCK_S = 0.1
BUFFER_S = 0.4  # in the sound system: what it keeps while this process is busy
CHANNELS = 2  # at most; the sound system's "default" claims 32
MUTE_S = 60.0  # of digital silence, before a device is opened anew: its stream may have been moved
STALL_S = 3.0  # without a block, a microphone counts as lost

log = logging.getLogger(__name__)


class Microphone(Source, Protocol):
    """A source of sound."""

    @property
    def overruns(self) -> int:
        """How many times sound was dropped because it was not taken in time."""

    def window(self, start_s: float, end_s: float) -> Waveform | None:
        """Return the sound of [start_s, end_s), at least 1 s of it; starts never go back."""


def open_microphone(spec: str, rate_hz: int) -> Microphone | None:
    """Open the microphone that a user named.

    Args:
        spec: "none", a sound file, "default", a URL, or an input device's number or name.
        rate_hz: Of the windows that it gives.

    Returns:
        An AudioFile, a NetworkMicrophone or a LiveMicrophone, or None for "none".

    Raises:
        InputError: When a sound file cannot be read.
        MissingError: When a device is asked for and PortAudio is not installed, or a URL and
            PyAV is not.
    """
    if spec == "none":
        return None
    if "://" in spec:
        return NetworkMicrophone(spec, rate_hz)
    path = Path(spec)
    if path.suffix.lower() in AUDIO_SUFFIXES or path.is_file():
        return AudioFile(path, rate_hz)
    return LiveMicrophone(spec, rate_hz)


def load_sounddevice() -> Any:
    """Import sounddevice; raises MissingError when it or PortAudio is not installed."""
    try:
        return importlib.import_module("sounddevice")
    except ImportError as error:
        raise MissingError(
            "a microphone needs the package sounddevice; run: pip install sounddevice"
        ) from error
    except OSError as error:
        raise MissingError(
            "a microphone needs the system's PortAudio; install libportaudio2: "
            "sudo apt install libportaudio2"
        ) from error


def stable_name(name: str) -> str:
    """Leave from a device's name what ALSA numbers anew: "USB Mic: Audio (hw:1,0)"."""
    return re.sub(r"\s*\(hw:\d+,\d+\)$", "", name)


class AudioFile:
    """A sound file, read forward once by its own clock. Not thread-safe."""

    live = False
    loss = None
    overruns = 0

    def __init__(self, path: Path, rate_hz: int) -> None:
        """Open the file, to be read at a rate; raises InputError when it is no recording."""
        self.name = str(path)
        self.ended = False
        self._rate_hz = rate_hz
        self._blocks = read_blocks(path, rate_hz)
        self._kept = np.zeros(0, np.float32)
        self._first = 0  # the index in the file of the first sample kept
        while not len(self._kept):
            if not self._read():
                raise InputError(f"{path}: holds no sound; expected a recording")

    def _read(self) -> bool:
        block = next(self._blocks, None)
        if block is not None:
            self._kept = np.concatenate([self._kept, block])
        return block is not None

    @property
    def end_s(self) -> float:
        """Where the sound read so far ends."""
        return (self._first + len(self._kept)) / self._rate_hz

    def window(self, start_s: float, end_s: float) -> Waveform | None:
        """Read on to end_s.

        Returns:
            float32 [N], mono: what the file has within [start_s, end_s); None when that is less
            than MIN_WINDOW_S.
        """
        rate_hz = self._rate_hz
        first, length = round(start_s * rate_hz), round((end_s - start_s) * rate_hz)
        # One sample more than asked for tells whether the file ends here.
        while not self.ended and self._first + len(self._kept) <= first + length:
            self.ended = not self._read()
        surplus = min(max(first - self._first, 0), len(self._kept))
        self._kept = self._kept[surplus:]
        self._first += surplus
        waveform = self._kept[:length]
        return waveform.copy() if len(waveform) >= MIN_WINDOW_S * rate_hz else None

    def close(self) -> None:
        """Close the file."""
        self._blocks = iter(())  # drops the reader, which closes its file
        self.ended = True


class LiveMicrophone(LiveSource):
    """An input device, recorded by PortAudio and reopened when lost; one in a process.

    A window is late by the sound system's latency.
    """

    def __init__(self, device: str, rate_hz: int) -> None:
        """Start recording "default", a device's number or a part of its name, at a rate."""
        self.name = device
        self._rate_hz = rate_hz
        self.overruns = 0  # times that the sound system had to drop samples
        self._device = int(device) if device.isdecimal() else device
        self._sounddevice = load_sounddevice()
        self._ring = SoundRing(rate_hz)
        self._mute = False  # whether it was last lost for giving nothing but zeros
        self._tried = False
        self._watchdog = SourceSupervisor("microphone", self.name, self._read, HANG_S)

    def _read(self, turn: ReadAttempt) -> str:
        again, self._tried = self._tried, True
        try:
            # Under a thread that hangs in it, PortAudio cannot be restarted.
            if again and not self._watchdog.hanging:
                self._restart_portaudio()
            return self._record(turn)
        except (self._sounddevice.PortAudioError, ValueError) as error:
            return f"cannot be recorded ({error})"

    def _restart_portaudio(self) -> None:
        """Make PortAudio look for devices again: it does so only when it starts."""
        with contextlib.suppress(self._sounddevice.PortAudioError):  # it may have failed to start
            self._sounddevice._terminate()
        self._sounddevice._initialize()

    def _open(self, turn: ReadAttempt) -> Any:
        device = None if self._device == "default" else self._device
        offer = self._sounddevice.query_devices(device, "input")
        if isinstance(device, int):
            # Numbers change when something is plugged in: from now on it goes by its name.
            self._device = stable_name(offer["name"])
        try:
            return self._stream(turn, device, offer, self._rate_hz)
        except self._sounddevice.PortAudioError:  # such as a USB microphone of one rate only
            return self._stream(turn, device, offer, offer["default_samplerate"])

    def _stream(
        self, turn: ReadAttempt, device: int | str | None, offer: Mapping[str, Any], rate_hz: float
    ) -> Any:
        channels = min(CHANNELS, offer["max_input_channels"])
        resampler = Resampler(rate_hz, self._rate_hz)

        def take(block: NDArray[np.float32], _count: int, _time: object, status: Any) -> None:
            if not turn.over:  # one that hung may come back beside the next
                self.overruns += status.input_overflow
                self._ring.push(resampler.push(to_mono(block)))

        stream = self._sounddevice.InputStream(
            samplerate=rate_hz,
            blocksize=round(BLOCK_S * rate_hz),
            device=device,
            channels=channels,
            dtype="float32",
            latency=BUFFER_S,
            callback=take,
        )
        log.info("microphone: %s, %g Hz, channels: %d", offer["name"], rate_hz, channels)
        return stream

    def _record(self, turn: ReadAttempt) -> str:
        """Record until the device is lost; returns how it was lost."""
        self._ring.clear()
        stream = self._open(turn)
        try:
            stream.start()
            opened_s = time.monotonic()
            while not turn.over:
                turn.beat()
                time.sleep(BLOCK_S)
                if self._ring.newest_s > opened_s and not (
                    self._mute and self._ring.sounded_s <= opened_s
                ):
                    self._mute = False
                    self._watchdog.outage.working()
                if not stream.active:
                    return "has stopped"
                if time.monotonic() - max(opened_s, self._ring.newest_s) > STALL_S:
                    return f"gave no sound for {STALL_S:g} s"
                if time.monotonic() - max(opened_s, self._ring.sounded_s) > MUTE_S:
                    self._mute = True
                    return f"gave nothing but zeros for {MUTE_S:g} s"
            return "was closed"
        finally:
            stream.close(ignore_errors=True)

    def window(self, start_s: float, end_s: float) -> Waveform | None:
        """Return the sound of [start_s, end_s) of time.monotonic(), as `SoundRing.window` does."""
        return self._ring.window(start_s, end_s)
