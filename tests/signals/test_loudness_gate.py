import numpy as np
import pytest

from birdfield.signals.loudness_gate import FLOOR_DB, LoudnessGate, octave_levels
from birdfield.watch.window import WINDOW_STEP_S

RATE_HZ = 16_000
SECONDS = np.arange(round(5.295 * RATE_HZ)) / RATE_HZ


def noise(level: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, len(SECONDS)).astype(np.float32)


def call(hz: float, level: float, length_s: float = 0.15) -> np.ndarray:
    within = (SECONDS > 2) & (2 + length_s > SECONDS)
    return (level * np.sin(2 * np.pi * hz * SECONDS) * within).astype(np.float32)


def listened(length_s: float = 60) -> LoudnessGate:
    """Return a gate that has listened to a quiet, steady noise of -60 dB."""
    gate = LoudnessGate(RATE_HZ)
    for index in range(round(length_s / WINDOW_STEP_S)):
        gate.stands_out(noise(0.001, index), index * WINDOW_STEP_S)
    return gate


def test_a_tone_has_its_level_in_its_own_octave() -> None:
    """A sine of amplitude 0.1 at 3 kHz has a mean square of 0.005: -23 dB in 2 to 4 kHz."""
    tone = (0.1 * np.sin(2 * np.pi * 3000 * SECONDS)).astype(np.float32)
    levels = np.median(octave_levels(tone, RATE_HZ), axis=0)
    assert levels[3] == pytest.approx(-23.0, abs=0.2) and levels.argmax() == 3
    assert levels[:2].max() < -70


@pytest.mark.parametrize("sample", [np.nan, np.inf, -np.inf, 1e20])
def test_a_sample_that_is_no_sound_does_not_deafen_the_gate(sample: float) -> None:
    """Floors that became NaN would hide every later sound."""
    gate = listened()
    spoilt = noise(0.001)
    spoilt[[10_000, 40_000]] = sample
    with np.errstate(all="ignore"):
        gate.stands_out(spoilt, 60.0)
    assert not gate.stands_out(noise(0.001, 1), 62.4)
    assert gate.stands_out(noise(0.001, 2) + call(3000, 0.02), 64.8)


def test_steady_noise_stands_out_only_at_first() -> None:
    """-60 dB is 30 dB above the first floor, which rises by 1 dB a second."""
    gate = LoudnessGate(RATE_HZ)
    heard = [gate.stands_out(noise(0.001, index), index * WINDOW_STEP_S) for index in range(20)]
    assert all(heard[:5]) and not any(heard[15:])


@pytest.mark.parametrize("hz", [350, 700, 1500, 3000, 6000])
def test_a_short_faint_call_stands_out_of_steady_noise(hz: float) -> None:
    assert listened().stands_out(noise(0.001, 99) + call(hz, 0.003), 60)
    assert not listened().stands_out(noise(0.001, 99) + call(hz, 0.0002), 60)


def test_a_floor_falls_at_once_and_a_song_with_pauses_does_not_raise_it() -> None:
    gate = listened()
    assert not gate.stands_out(noise(0.0001, 1), 60)
    assert gate.stands_out(noise(0.001, 2), 62.4), "the former noise is loud after the quiet"
    song = noise(0.0001) + sum(np.roll(call(3000, 0.01), shift) for shift in (0, RATE_HZ))
    assert all(gate.stands_out(song, 64.8 + index * WINDOW_STEP_S) for index in range(60))


def test_floors_have_a_lower_limit() -> None:
    gate = LoudnessGate(RATE_HZ)
    gate.stands_out(noise(1e-9), 0)
    assert not gate.stands_out(noise(1e-6), 2.4), f"-120 dB is below {FLOOR_DB} dB"
