"""Sound meter: the level and the spectrum of a microphone, for a view."""

import threading
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birdfield.capture.microphone import Microphone
from birdfield.signals.audio import Waveform

BANDS = 12  # of the spectrum, equally wide
LOW_HZ, HIGH_HZ = 500.0, 8000.0  # most birds sing in this range
COLUMN_S = 0.1
COLUMNS = 400  # more than any terminal has
FLOOR_DB = -90.0  # relative to full scale: the least level, and 0 in the spectrum
TOP_DB = -30.0  # of one band: 1 in the spectrum
LEVEL_S = 0.5  # the span that the level is measured over
LAG_S = 0.5  # a live microphone is read with this delay, after its blocks have arrived
POLL_S = 2.0  # a poll reads this span, so that a late poll misses nothing


@dataclass(frozen=True)
class Level:
    """A sound level, in dB relative to full scale.

    Attributes:
        rms_db: The root mean square.
        peak_db: The highest sample.
    """

    rms_db: float = FLOOR_DB
    peak_db: float = FLOOR_DB


def level_of(waveform: Waveform) -> Level:
    """Return the level of a waveform, float32 [N], N >= 1."""

    def decibels(value: float) -> float:
        return max(20 * float(np.log10(max(value, 1e-9))), FLOOR_DB)

    return Level(
        decibels(float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))),
        decibels(float(np.abs(waveform).max())),
    )


def spectrum_columns(waveform: Waveform, rate_hz: int) -> NDArray[np.float32]:
    """Return the spectrum of each whole COLUMN_S of a waveform.

    Args:
        waveform: float32 [N], mono, -1..1.
        rate_hz: The sample rate.

    Returns:
        float32 [columns, BANDS], 0 at FLOOR_DB to 1 at TOP_DB.
    """
    size = round(COLUMN_S * rate_hz)
    pieces = waveform[: len(waveform) // size * size].reshape(-1, size)
    window = np.hanning(size)
    # Scaled so that a sine of full scale has power 1.
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
    """A microphone that measures its sound; any thread may call `poll` and `measured`."""

    def __init__(self, microphone: Microphone, rate_hz: int) -> None:
        """Wrap a microphone whose windows have this rate."""
        self._microphone, self._rate_hz = microphone, rate_hz
        self.name, self.live = microphone.name, microphone.live
        self._lock = threading.Lock()
        self._measured_s = 0.0
        self._level = Level()
        self._spectrum = np.zeros((COLUMNS, BANDS), np.float32)

    @property
    def ended(self) -> bool:
        """Whether the microphone has ended."""
        return self._microphone.ended

    @property
    def end_s(self) -> float:
        """The end of the microphone's file; infinite for a live one."""
        return self._microphone.end_s

    @property
    def overruns(self) -> int:
        """The number of times that samples were dropped."""
        return self._microphone.overruns

    @property
    def defects(self) -> int:
        """The number of blocks that were no sound."""
        return self._microphone.defects

    @property
    def loss(self) -> str | None:
        """The reason for the loss of the microphone, or None."""
        return self._microphone.loss

    def window(self, start_s: float, end_s: float) -> Waveform | None:
        """Return a window of sound; the windows of a file are measured, as it is read only once."""
        waveform = self._microphone.window(start_s, end_s)
        if not self.live:
            self._measure(waveform, start_s)
        return waveform

    def poll(self) -> None:
        """Measure the sound of a live microphone since the last call; do nothing for a file."""
        if self.live:
            end_s = time.monotonic() - LAG_S
            self._measure(self._microphone.window(end_s - POLL_S, end_s), end_s - POLL_S)

    def _measure(self, waveform: Waveform | None, start_s: float) -> None:
        with self._lock:
            if waveform is None:
                self._level = Level()
                return
            end_s = start_s + len(waveform) / self._rate_hz
            new = waveform[max(round((self._measured_s - start_s) * self._rate_hz), 0) :]
            columns = spectrum_columns(new, self._rate_hz)
            # Samples that do not fill a column are measured by the next call.
            rest_s = len(new) / self._rate_hz - len(columns) * COLUMN_S
            self._measured_s = max(self._measured_s, end_s - rest_s)
            self._level = level_of(waveform[-round(LEVEL_S * self._rate_hz) :])
            self._spectrum = np.concatenate([self._spectrum, columns])[-COLUMNS:]

    def measured(self) -> tuple[Level, NDArray[np.float32]]:
        """Return the level, and the spectrum, float32 [COLUMNS, BANDS], the newest column last."""
        with self._lock:
            return self._level, self._spectrum

    def close(self) -> None:
        """Release the microphone."""
        self._microphone.close()
