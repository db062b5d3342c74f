"""Spectra: the pitch of a sound."""

import numpy as np


def dominant_hz(waveform: np.ndarray, rate_hz: float = 16_000) -> float:
    """Return the frequency of the strongest component of a waveform [N]."""
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return float(np.argmax(spectrum) * rate_hz / len(waveform))
