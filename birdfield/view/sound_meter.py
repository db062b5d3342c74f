"""What a view shows of a microphone: how loud it is, and a strip of its spectrum."""

import threading
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birdfield.capture.microphone import Microphone
from birdfield.signals.audio import Waveform

BANDS = 12  # of the strip, low to high
LOW_HZ, HIGH_HZ = 500.0, 8000.0  # what birds sing in, about
COLUMN_S = 0.1
COLUMNS = 400  # that are kept: more than any terminal is wide
FLOOR_DB = -90.0  # full scale is 0: the strip is dark there
TOP_DB = -30.0  # of one band: the strip is brightest from there on
LEVEL_S = 0.5  # that the level is of
LAG_S = 0.5  # how far behind now a live microphone is asked: its blocks have come then
POLL_S = 2.0  # asked for at a time: what a late call has missed is still in it


@dataclass(frozen=True)
class Level:
    """How loud it is, in dB below full scale: on average and at most."""

    rms_db: float = FLOOR_DB
    peak_db: float = FLOOR_DB


def level_of(waveform: Waveform) -> Level:
    """Measure float32 [N], N >= 1."""

    def decibel(value: float) -> float:
        return max(20 * float(np.log10(max(value, 1e-9))), FLOOR_DB)

    return Level(
        decibel(float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))),
        decibel(float(np.abs(waveform).max())),
    )


def columns_of(waveform: Waveform, rate_hz: int) -> NDArray[np.float32]:
    """Measure the bands of each whole COLUMN_S.

    Args:
        waveform: float32 [N], mono, -1..1.
        rate_hz: Its sample rate.

    Returns:
        float32 [columns, BANDS], 0 at FLOOR_DB to 1 at TOP_DB.
    """
    size = round(COLUMN_S * rate_hz)
    pieces = waveform[: len(waveform) // size * size].reshape(-1, size)
    window = np.hanning(size)
    # A sine of full scale has power 1.
    power = np.abs(np.fft.rfft(pieces * window, axis=1) / (window.sum() / 2)) ** 2
    hz = np.fft.rfftfreq(size, 1 / rate_hz)
    edges = np.searchsorted(hz, np.linspace(LOW_HZ, HIGH_HZ, BANDS + 1))
    bands = np.stack(
        [power[:, low:high].sum(axis=1) for low, high in zip(edges[:-1], edges[1:], strict=True)],
        axis=1,
    )
    level_db = 10 * np.log10(bands + 1e-12)
    return np.clip((level_db - FLOOR_DB) / (TOP_DB - FLOOR_DB), 0, 1).astype(np.float32)


class MeteredMicrophone:
    """A microphone that is measured while it is listened to; `poll` from any thread."""

    def __init__(self, microphone: Microphone, rate_hz: int) -> None:
        """Stand before a microphone whose windows are at rate_hz."""
        self._microphone, self._rate_hz = microphone, rate_hz
        self.name, self.live = microphone.name, microphone.live
        self._lock = threading.Lock()
        self._heard_s = 0.0
        self._level = Level()
        self._strip = np.zeros((COLUMNS, BANDS), np.float32)

    @property
    def ended(self) -> bool:
        """Whether the source has ended."""
        return self._microphone.ended

    @property
    def end_s(self) -> float:
        """Where the source ends."""
        return self._microphone.end_s

    @property
    def overruns(self) -> int:
        """How many times the source's sound was dropped."""
        return self._microphone.overruns

    @property
    def loss(self) -> str | None:
        """How the source was lost."""
        return self._microphone.loss

    def window(self, start_s: float, end_s: float) -> Waveform | None:
        """Return the source's window; a file is measured by it, since it is read only once."""
        waveform = self._microphone.window(start_s, end_s)
        if not self.live:
            self._measure(waveform, start_s)
        return waveform

    def poll(self) -> None:
        """Measure what a live source heard since the last call; of a file there is no more."""
        if self.live:
            end_s = time.monotonic() - LAG_S
            self._measure(self._microphone.window(end_s - POLL_S, end_s), end_s - POLL_S)

    def _measure(self, waveform: Waveform | None, start_s: float) -> None:
        with self._lock:
            if waveform is None:
                self._level = Level()
                return
            end_s = start_s + len(waveform) / self._rate_hz
            new = waveform[max(round((self._heard_s - start_s) * self._rate_hz), 0) :]
            columns = columns_of(new, self._rate_hz)
            # What does not fill a column waits for the next call.
            waiting_s = len(new) / self._rate_hz - len(columns) * COLUMN_S
            self._heard_s = max(self._heard_s, end_s - waiting_s)
            self._level = level_of(waveform[-round(LEVEL_S * self._rate_hz) :])
            self._strip = np.concatenate([self._strip, columns])[-COLUMNS:]

    def shown(self) -> tuple[Level, NDArray[np.float32]]:
        """Return the level, and the strip float32 [COLUMNS, BANDS], the newest last."""
        with self._lock:
            return self._level, self._strip

    def close(self) -> None:
        """Release the source."""
        self._microphone.close()
