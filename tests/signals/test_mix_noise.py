import math

import numpy as np
import pytest

from birdfield.signals.noise import active_power, mix_noise

RATE_HZ = 16_000


def calls(peak: float = 0.2, length_s: float = 4.0) -> np.ndarray:
    """Make calls of 0.1 s at 3 kHz, 0.4 s apart: a quarter of the time is song."""
    samples = np.arange(round(length_s * RATE_HZ))
    song = peak * np.sin(2 * np.pi * 3000 / RATE_HZ * samples) * (samples % 6400 < 1600)
    return np.asarray(song, np.float32)


def hiss(length_s: float = 9.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, round(length_s * RATE_HZ)).astype(np.float32)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("snr_db", [20, 10, 5, 0, -5])
@pytest.mark.parametrize("noise_s", [9.0, 4.0, 0.7])
def test_noise_has_the_signal_to_noise_ratio(snr_db: int, noise_s: float) -> None:
    """The calls' power is 0.1^2 / 2 = 0.005; the noise is the difference from the original."""
    waveform = calls(0.1)
    mixed = mix_noise(waveform, hiss(noise_s), snr_db, rng())
    assert np.abs(mixed).max() < 1, "the sum was not scaled"
    added = mixed.astype(float) - waveform
    assert 10 * math.log10(0.005 / np.mean(added**2)) == pytest.approx(snr_db, abs=0.3)


def test_a_sum_beyond_full_scale_is_scaled() -> None:
    """The scale s follows from the calls; divided by it, the sum is the calls plus the noise."""
    waveform, noise = calls(0.9), hiss()
    mixed = mix_noise(waveform, noise, -5, rng())
    assert np.abs(mixed).max() == pytest.approx(1)
    scale = float((mixed * waveform).sum() / (waveform**2).sum())
    added = mixed / scale - waveform
    assert scale < 0.9
    assert 10 * math.log10(0.405 / np.mean(added.astype(float) ** 2)) == pytest.approx(-5, abs=0.3)


def test_only_active_frames_count_as_song() -> None:
    """The calls' power is 0.2^2 / 2 = 0.02, although they fill only a quarter of the time."""
    assert active_power(calls()) == pytest.approx(0.02, rel=0.02)


def test_all_of_an_even_or_very_short_sound_is_active() -> None:
    assert active_power(np.full(RATE_HZ, 0.5, np.float32)) == pytest.approx(0.25)
    assert active_power(np.full(5, 0.5, np.float32)) == pytest.approx(0.25)


def test_mixing_is_seeded_and_does_not_change_its_input() -> None:
    waveform, noise = calls(), hiss()
    before = waveform.copy(), noise.copy()
    assert np.array_equal(
        mix_noise(waveform, noise, 0, rng(1)), mix_noise(waveform, noise, 0, rng(1))
    )
    assert not np.array_equal(
        mix_noise(waveform, noise, 0, rng(1)), mix_noise(waveform, noise, 0, rng(2))
    )
    assert np.array_equal(waveform, before[0]) and np.array_equal(noise, before[1])
    assert mix_noise(waveform, noise, 0, rng(1)).dtype == np.float32


def test_short_noise_is_repeated() -> None:
    """Its period is the noise's length."""
    period = round(0.7 * RATE_HZ)
    added = mix_noise(calls(), hiss(0.7), 0, rng()) - calls()
    assert np.allclose(added[:period], added[period : 2 * period], atol=1e-6)


def test_silent_noise_adds_nothing() -> None:
    assert np.array_equal(mix_noise(calls(), np.zeros(99, np.float32), -5, rng()), calls())


def test_empty_noise_is_refused() -> None:
    with pytest.raises(ValueError, match="mixing 64000 samples with 0 of noise; expected at least"):
        mix_noise(calls(), np.zeros(0, np.float32), 0, rng())
