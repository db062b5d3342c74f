"""Live microphone: an input device, recorded by PortAudio and opened again when it is lost."""

import contextlib
import importlib
import logging
import re
import time
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from birdfield.capture.live_sound import LiveSound
from birdfield.capture.supervisor import HANG_S, ReadAttempt, SourceSupervisor
from birdfield.errors import MissingError
from birdfield.signals.audio import Resampler, to_mono

BLOCK_S = 0.1  # sound in one callback
BUFFER_S = 0.4  # sound that PortAudio buffers while this process is busy
MAX_CHANNELS = 2  # the sound system's "default" reports 32
MAX_ZEROS_S = 60.0  # digital silence for this long reopens the device: its stream may have moved
STALL_S = 3.0  # a device that delivers no block for this long is lost

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InputDevice:
    """What PortAudio reports of an input device.

    Attributes:
        name: Its name, such as "USB Mic: Audio (hw:1,0)".
        channels: Its number of input channels.
        rate_hz: Its default sample rate.
    """

    name: str
    channels: int
    rate_hz: float


class _Stream(Protocol):
    """The parts of a sounddevice stream that birdfield uses."""

    active: bool

    def start(self) -> None:
        """Start recording."""

    def close(self, ignore_errors: bool) -> None:
        """Stop recording."""


class _Status(Protocol):
    """The part of sounddevice's callback flags that birdfield uses."""

    input_overflow: bool


def load_sounddevice() -> ModuleType:
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
    """Return a device's name without the part that changes at a restart, such as " (hw:1,0)"."""
    return re.sub(r"\s*\(hw:\d+,\d+\)$", "", name)


class LiveMicrophone(LiveSound):
    """An input device, recorded by PortAudio; at most one in a process.

    A window is late by the sound system's latency.

    Attributes:
        name: The device, as the user named it.
        overruns: How many times the sound system dropped sound.
    """

    def __init__(self, device: str, rate_hz: int) -> None:
        """Start recording.

        Args:
            device: "default", a device's number or a part of its name.
            rate_hz: The sample rate of the windows.

        Raises:
            MissingError: When PortAudio is not installed.
        """
        super().__init__(rate_hz)
        self.name = device
        self.overruns = 0
        self._device: int | str = int(device) if device.isdecimal() else device
        self._sounddevice = load_sounddevice()
        self._was_mute = False  # the last loss was digital silence
        self._tried = False
        self._supervisor = SourceSupervisor("microphone", self.name, self._read, HANG_S)

    def _read(self, attempt: ReadAttempt) -> str:
        again, self._tried = self._tried, True
        try:
            # PortAudio cannot restart while a thread hangs in it.
            if again and not self._supervisor.has_hanging_thread:
                self._restart_portaudio()
            return self._record(attempt)
        except (self._sounddevice.PortAudioError, ValueError) as error:
            return f"cannot be recorded ({error})"

    def _restart_portaudio(self) -> None:
        """Restart PortAudio: it looks for devices only at its start."""
        with contextlib.suppress(self._sounddevice.PortAudioError):  # its start may have failed
            self._sounddevice._terminate()
        self._sounddevice._initialize()

    def _open(self, attempt: ReadAttempt) -> _Stream:
        device = None if self._device == "default" else self._device
        entry = self._sounddevice.query_devices(device, "input")
        found = InputDevice(
            str(entry["name"]), int(entry["max_input_channels"]), float(entry["default_samplerate"])
        )
        if isinstance(device, int):
            # A device's number changes when another one is plugged in: use its name from now on.
            self._device = stable_name(found.name)
        try:
            return self._stream(attempt, device, found, self._rate_hz)
        except self._sounddevice.PortAudioError:  # such as a USB microphone with a single rate
            return self._stream(attempt, device, found, found.rate_hz)

    def _stream(
        self, attempt: ReadAttempt, device: int | str | None, found: InputDevice, rate_hz: float
    ) -> _Stream:
        channels = min(MAX_CHANNELS, found.channels)
        resampler = Resampler(rate_hz, self._rate_hz)

        def keep(block: NDArray[np.float32], _count: int, _time: object, status: _Status) -> None:
            if not attempt.cancelled:  # a stream that hung may continue beside the next one
                self.overruns += status.input_overflow
                self._ring.push(resampler.push(to_mono(self._guard.check(block))))

        stream: _Stream = self._sounddevice.InputStream(
            samplerate=rate_hz,
            blocksize=round(BLOCK_S * rate_hz),
            device=device,
            channels=channels,
            dtype="float32",
            latency=BUFFER_S,
            callback=keep,
        )
        log.info("microphone: %s, %g Hz, channels: %d", found.name, rate_hz, channels)
        return stream

    def _record(self, attempt: ReadAttempt) -> str:
        """Record until the device is lost; return why."""
        self._ring.clear()
        stream = self._open(attempt)
        try:
            stream.start()
            opened_s = time.monotonic()
            while not attempt.cancelled:
                attempt.tick()
                time.sleep(BLOCK_S)
                self._check_recovery(opened_s)
                if not stream.active:
                    return "has stopped"
                if time.monotonic() - max(opened_s, self._ring.newest_s) > STALL_S:
                    return f"sent no sound for {STALL_S:g} s"
                if time.monotonic() - max(opened_s, self._ring.sounded_s) > MAX_ZEROS_S:
                    self._was_mute = True
                    return f"sent nothing but zeros for {MAX_ZEROS_S:g} s"
            return "was closed"
        finally:
            stream.close(ignore_errors=True)

    def _check_recovery(self, opened_s: float) -> None:
        """Report the recovery when sound arrives; after digital silence, zeros do not suffice."""
        heard_s = self._ring.sounded_s if self._was_mute else self._ring.newest_s
        if heard_s > opened_s:
            self._was_mute = False
            self._supervisor.outage.report_recovery()
