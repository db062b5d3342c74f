"""Loudness gate: finds sounds that stand out from the steady sound of a place."""

import numpy as np
from numpy.typing import NDArray

from birdfield.signals.audio import Waveform

FRAME_S = 0.032
BANDS_HZ = (250, 500, 1000, 2000, 4000, 8000)  # edges of the octaves in which birds call
CALL_SHARE = 0.02  # of the frames: a call fills at least this many
PAUSE_SHARE = 0.2  # of the frames: at least this many lie between calls, at the floor
STEP_DB = 8.0  # a sound stands out this far above the floor of an octave
FLOOR_DB = -90.0  # of full scale: the lowest floor, and the first
MAX_DB = 200.0  # of full scale: the level of a frame whose samples are too large to be squared
RISE_DB_S = 1.0  # how fast a floor rises to a sound without pauses, such as a fan


def octave_levels(waveform: Waveform, rate_hz: int) -> NDArray[np.float32]:
    """Measure the level of each frame in each octave of BANDS_HZ.

    Args:
        waveform: float32 [N], mono, -1..1, of at least FRAME_S.
        rate_hz: Its sample rate, at least twice the highest edge.

    Returns:
        float32 [T, bands], in dB of full scale.
    """
    size = round(FRAME_S * rate_hz)
    frames = waveform[: len(waveform) // size * size].reshape(-1, size)
    window = np.hanning(size).astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2 * (2 / (size * (window**2).sum()))
    edges = [round(edge * size / rate_hz) for edge in BANDS_HZ]
    bands = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)
    return np.asarray(10 * np.log10(bands + 1e-12), np.float32)


class LoudnessGate:
    """The floor of each octave at one microphone. Not thread-safe."""

    def __init__(self, rate_hz: int) -> None:
        """Start with floors so low that every sound stands out.

        Args:
            rate_hz: The sample rate of the windows.
        """
        self._rate_hz = rate_hz
        self._floors_db = np.full(len(BANDS_HZ) - 1, FLOOR_DB, np.float32)
        self._previous_s: float | None = None

    def stands_out(self, waveform: Waveform, time_s: float) -> bool:
        """Return whether a window stands out from the floors, and update them.

        Args:
            waveform: float32 [N], usable by `birdfield.signals.usability.window_fault`.
            time_s: The start of the window, not before that of the previous one.
        """
        levels_db = octave_levels(waveform, self._rate_hz)
        levels_db = np.where(np.isfinite(levels_db), levels_db, MAX_DB)  # else floors become NaN
        loud_db, quiet_db = np.quantile(levels_db, (1 - CALL_SHARE, PAUSE_SHARE), axis=0)
        passed_s = 0.0 if self._previous_s is None else time_s - self._previous_s
        self._previous_s = time_s
        risen_db = self._floors_db + RISE_DB_S * passed_s
        self._floors_db = np.maximum(np.minimum(quiet_db, risen_db), FLOOR_DB).astype(np.float32)
        return bool((loud_db > self._floors_db + STEP_DB).any())
