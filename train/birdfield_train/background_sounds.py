"""Background sounds: generated noise without a bird, such as wind, rain and hum."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 48_000  # the highest rate of any frontend
LENGTH_S = 6.0  # the longest window of any frontend
SAMPLES = round(RATE_HZ * LENGTH_S)

Sound = NDArray[np.float64]  # [SAMPLES]


def _coloured(rng: np.random.Generator, slope: float) -> Sound:
    """Generate noise whose power falls with the frequency to the power of slope."""
    frequencies = np.fft.rfftfreq(SAMPLES, 1 / RATE_HZ)
    spectrum = rng.normal(size=(2, len(frequencies)))
    shape = np.maximum(frequencies, 20.0) ** (-slope / 2)
    return np.fft.irfft((spectrum[0] + 1j * spectrum[1]) * shape, SAMPLES)


def _white(rng: np.random.Generator) -> Sound:
    return _coloured(rng, 0.0)


def _pink(rng: np.random.Generator) -> Sound:
    return _coloured(rng, 1.0)


def _brown(rng: np.random.Generator) -> Sound:
    return _coloured(rng, 2.0)


def _hum(rng: np.random.Generator) -> Sound:
    """Generate the hum of an engine or of the mains, with its harmonics."""
    base_hz, seconds = rng.uniform(40, 200), np.arange(SAMPLES) / RATE_HZ
    sound = 0.01 * _unit(_coloured(rng, 1.0))
    for harmonic in range(1, 13):
        sound += (
            rng.uniform(0.2, 1)
            / harmonic
            * np.sin(2 * np.pi * (base_hz * harmonic * seconds + rng.random()))
        )
    return np.asarray(sound)


def _wind(rng: np.random.Generator) -> Sound:
    """Generate low noise in gusts."""
    gusts = np.interp(np.arange(SAMPLES), np.linspace(0, SAMPLES, 9), rng.uniform(0.05, 1, 9))
    return np.asarray(_coloured(rng, rng.uniform(1.5, 3)) * gusts**2)


def _drops(rng: np.random.Generator, count: int, decay_s: float) -> Sound:
    """Generate short dull knocks at random times."""
    sound = np.zeros(SAMPLES)
    tail = np.arange(round(5 * decay_s * RATE_HZ)) / RATE_HZ
    for start in rng.integers(0, SAMPLES - len(tail), count):
        knock = np.exp(-tail / decay_s) * rng.normal(size=len(tail))
        sound[start : start + len(tail)] += rng.uniform(0.1, 1) ** 2 * knock
    return sound


def _rain(rng: np.random.Generator) -> Sound:
    """Generate drops on a surface, and the noise of distant rain."""
    drops = _drops(rng, int(rng.integers(300, 3000)), 0.002)
    return np.asarray(_unit(drops) + rng.uniform(0.2, 1) * _unit(_pink(rng)))


def _clicks(rng: np.random.Generator) -> Sound:
    """Generate a few clicks in faint noise."""
    knocks = _drops(rng, int(rng.integers(4, 40)), rng.uniform(0.001, 0.03))
    return np.asarray(_unit(knocks) + 0.02 * _unit(_pink(rng)))


def _unit(sound: Sound) -> Sound:
    """Scale a sound to a standard deviation of 1."""
    return np.asarray(sound / sound.std())


SOUNDS: Mapping[str, Callable[[np.random.Generator], Sound]] = {
    "white": _white,
    "pink": _pink,
    "brown": _brown,
    "hum": _hum,
    "wind": _wind,
    "rain": _rain,
    "clicks": _clicks,
}
