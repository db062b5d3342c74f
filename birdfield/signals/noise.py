"""Noise: mixes noise into a recording at a signal-to-noise ratio."""

import math

import numpy as np

from birdfield.signals.audio import Waveform

FRAME_S = 0.02  # the frames in which a song's power is measured


def mix_noise(
    waveform: Waveform,
    noise: Waveform,
    snr_db: float,
    rng: np.random.Generator,
    rate_hz: int = 16_000,
) -> Waveform:
    """Mix a random piece of noise into a recording at a signal-to-noise ratio.

    The signal's power is that of its active frames, whose energy is above the median: calls that
    fill less than half of the time exceed the noise by more. The noise's power is that of the
    whole piece. Where the sum exceeds full scale, all of it is scaled down, so that nothing is
    clipped and the ratio stays.

    Args:
        waveform: float32 [N], mono, -1..1.
        noise: float32 [M], at the same rate; repeated from its beginning where it is shorter.
        snr_db: The ratio, in dB.
        rng: Draws the start of the piece, and nothing else.
        rate_hz: The sample rate of both.

    Returns:
        float32 [N], a copy; the waveform alone where the piece is digital silence.

    Raises:
        ValueError: When one of them is empty.
    """
    if not len(waveform) or not len(noise):
        raise ValueError(
            f"mixing {len(waveform)} samples with {len(noise)} of noise; "
            "expected at least one of each"
        )
    piece = _random_piece(noise, len(waveform), rng).astype(np.float64)
    power = float(np.mean(piece**2))
    noise_power = active_power(waveform, rate_hz) / 10 ** (snr_db / 10)
    mixed = waveform + piece * (math.sqrt(noise_power / power) if power else 0.0)
    return np.asarray(mixed / max(1.0, float(np.abs(mixed).max())), np.float32)


def _random_piece(noise: Waveform, length: int, rng: np.random.Generator) -> Waveform:
    spare = len(noise) - length
    start = int(rng.integers(spare + 1 if spare >= 0 else len(noise)))
    return (
        noise[start : start + length] if spare >= 0 else np.resize(np.roll(noise, -start), length)
    )


def active_power(waveform: Waveform, rate_hz: int = 16_000) -> float:
    """Return the mean square of the 20-ms frames whose energy is above the median frame's."""
    size = round(FRAME_S * rate_hz)
    frames = waveform[: len(waveform) // size * size].astype(np.float64).reshape(-1, size)
    energies = (frames**2).mean(axis=1)
    active = energies[energies > np.median(energies)] if len(energies) else energies
    # No frame is above the median in an even sound, or in less than two frames: use all of it.
    return float(active.mean() if len(active) else np.mean(waveform.astype(np.float64) ** 2))
