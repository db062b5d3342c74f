"""Microphones and sound files: windows of sound at a wanted rate behind one interface."""

import contextlib
import importlib
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from birdfield.audio import AUDIO_SUFFIXES, Resampler, Waveform, read_blocks, to_mono
from birdfield.errors import InputError, MissingError
from birdfield.quality import Outage

MIN_WINDOW_S = 1.0  # less sound is no window
KEPT_S = 12.0  # of a live microphone: two windows, as one may be asked for late
BLOCK_S = 0.1
BUFFER_S = 0.4  # in the sound system: what it keeps while this process is busy
CHANNELS = 2  # at most; the sound system's "default" claims 32
STALL_S = 3.0  # without a block, a microphone counts as lost
ARRIVAL_S = 0.5  # how long a window waits for its last blocks
EARLY_S, LATE_S = 0.05, 0.5  # how far blocks may stray before the time of all sound is set anew
CLOSE_S = 2.0  # how long closing waits for PortAudio

log = logging.getLogger(__name__)


class Microphone(Protocol):
    """A source of sound; a file's clock starts at 0, a live one's is time.monotonic()."""

    name: str
    live: bool

    @property
    def ended(self) -> bool:
        """Whether all sound has been asked for; never with a live microphone."""

    @property
    def end_s(self) -> float:
        """Where a file ends, once it has ended; infinity for a live microphone."""

    def window(self, start_s: float, end_s: float) -> Waveform | None:
        """Return the sound of [start_s, end_s), at least 1 s of it; starts never go back."""

    def close(self) -> None:
        """Release the source."""


def open_microphone(spec: str, rate_hz: int) -> Microphone | None:
    """Open the microphone that a user named.

    Args:
        spec: "none", a sound file, "default", or an input device's number or name.
        rate_hz: Of the windows that it gives.

    Returns:
        An AudioFile or a LiveMicrophone, or None for "none".

    Raises:
        InputError: When a sound file cannot be read.
        MissingError: When a device is asked for and PortAudio is not installed.
    """
    if spec == "none":
        return None
    path = Path(spec)
    if path.suffix.lower() in AUDIO_SUFFIXES or path.is_file():
        return AudioFile(path, rate_hz)
    return LiveMicrophone(spec, rate_hz)


def load_sounddevice() -> Any:
    """Import sounddevice; raises MissingError when it or PortAudio is not installed."""
    try:
        return importlib.import_module("sounddevice")
    except ImportError as error:
        raise MissingError("a microphone needs the package sounddevice; "
                           "run: pip install sounddevice") from error
    except OSError as error:
        raise MissingError("a microphone needs the system's PortAudio; install libportaudio2: "
                           "sudo apt install libportaudio2") from error


class AudioFile:
    """A sound file, read forward once by its own clock. Not thread-safe."""

    live = False

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


class LiveMicrophone:
    """An input device, recorded by PortAudio and reopened when lost; one in a process.

    Time is counted in samples from the arrival of the first block, so that windows keep their
    distance to the sample; it is set anew when blocks come too early or too late for it. A window
    is late by the sound system's latency.
    """

    live = True
    ended = False
    end_s = math.inf

    def __init__(self, device: str, rate_hz: int) -> None:
        """Start recording "default", a device's number or a part of its name, at a rate."""
        self.name = device
        self._rate_hz = rate_hz
        self.overruns = 0  # times that the sound system had to drop samples
        self._device = int(device) if device.isdecimal() else device
        self._sounddevice = load_sounddevice()
        self._blocks: deque[Waveform] = deque()
        self._kept = self._taken = 0  # samples
        self._began_s = math.inf  # when the first of those taken was recorded
        self._newest_s = -math.inf  # when a block arrived
        self._arrived = threading.Condition()
        self._outage = Outage("microphone")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="microphone", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stop.wait(wait_s):
            try:
                if wait_s:
                    self._restart_portaudio()
                reason = self._record()
            except (self._sounddevice.PortAudioError, ValueError) as error:
                reason = f"{self.name}: {error}"
            if not self._stop.is_set():
                wait_s = self._outage.lost(reason)

    def _restart_portaudio(self) -> None:
        """Make PortAudio look for devices again: it does so only when it starts."""
        with contextlib.suppress(self._sounddevice.PortAudioError):  # it may have failed to start
            self._sounddevice._terminate()
        self._sounddevice._initialize()

    def _open(self) -> Any:
        device = None if self._device == "default" else self._device
        offer = self._sounddevice.query_devices(device, "input")
        try:
            return self._stream(device, offer, self._rate_hz)
        except self._sounddevice.PortAudioError:  # such as a USB microphone of one rate only
            return self._stream(device, offer, offer["default_samplerate"])

    def _stream(self, device: int | str | None, offer: Mapping[str, Any], rate_hz: float) -> Any:
        channels = min(CHANNELS, offer["max_input_channels"])
        resampler = Resampler(rate_hz, self._rate_hz)

        def take(block: NDArray[np.float32], _count: int, _time: object, status: Any) -> None:
            self._take(resampler.push(to_mono(block)), status.input_overflow)

        stream = self._sounddevice.InputStream(
            samplerate=rate_hz, blocksize=round(BLOCK_S * rate_hz), device=device,
            channels=channels, dtype="float32", latency=BUFFER_S, callback=take)
        log.info("microphone: %s, %g Hz, channels: %d", offer["name"], rate_hz, channels)
        return stream

    def _record(self) -> str:
        """Record until the device is lost; returns how it was lost."""
        with self._arrived:
            self._blocks.clear()  # what was recorded before a loss does not join what comes now
            self._kept = self._taken = 0
            self._began_s = math.inf
        stream = self._open()
        try:
            stream.start()
            opened_s = time.monotonic()
            while not self._stop.wait(BLOCK_S):
                if self._newest_s > opened_s:
                    self._outage.working()
                if not stream.active:
                    return f"{self.name} stopped"
                if time.monotonic() - max(opened_s, self._newest_s) > STALL_S:
                    return f"{self.name} gave no sound for {STALL_S:g} s"
            return f"{self.name} was closed"
        finally:
            stream.close(ignore_errors=True)

    def _take(self, waveform: Waveform, overrun: bool) -> None:
        """Keep a block; called by PortAudio's thread."""
        with self._arrived:
            self.overruns += overrun
            self._blocks.append(waveform)
            self._kept += len(waveform)
            self._taken += len(waveform)
            while self._kept > KEPT_S * self._rate_hz:
                self._kept -= len(self._blocks.popleft())
            self._newest_s = time.monotonic()
            began_s = self._newest_s - self._taken / self._rate_hz
            if not -EARLY_S <= began_s - self._began_s <= LATE_S:
                self._began_s = began_s
            self._arrived.notify_all()

    def window(self, start_s: float, end_s: float) -> Waveform | None:
        """Return the sound of [start_s, end_s) of time.monotonic().

        Waits a moment for the last block when end_s has just passed.

        Returns:
            float32 [N], mono; None when less than MIN_WINDOW_S was recorded in that time.
        """
        rate_hz = self._rate_hz
        with self._arrived:
            self._arrived.wait_for(lambda: self._began_s + self._taken / rate_hz >= end_s,
                                   ARRIVAL_S)
            began_s, taken, blocks = self._began_s, self._taken, list(self._blocks)
        if not blocks:
            return None
        sound = np.concatenate(blocks)
        last = round((end_s - began_s) * rate_hz) - (taken - len(sound))
        first = last - round((end_s - start_s) * rate_hz)
        waveform = sound[max(first, 0) : max(last, 0)]
        return waveform if len(waveform) >= MIN_WINDOW_S * rate_hz else None

    def close(self) -> None:
        """Stop recording; a thread that hangs in PortAudio is left to end by itself."""
        self._stop.set()
        self._thread.join(CLOSE_S)
