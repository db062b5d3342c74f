"""Sound augmentation: other versions of a recording, in noise, louder or softer, and shifted."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from birdfield.signals.audio import Waveform, read_audio
from birdfield.signals.noise import mix_noise

NOISY_SHARE = 0.8  # of the versions
SNR_DB = (-2.0, 20.0)
GAIN_DB = (-12.0, 6.0)
MAX_SHIFT_S = 0.48  # the end moves to the start; one hop of YAMNet


def augment_sound(
    waveform: Waveform, rate_hz: int, noises: Sequence[Path], rng: np.random.Generator
) -> Waveform:
    """Draw a version of a recording.

    Args:
        waveform: float32 [N], mono, -1..1.
        rate_hz: Its sample rate.
        noises: Recordings without a bird, at least one.
        rng: Decides the version.

    Returns:
        float32 [N], -1..1.
    """
    noisy = waveform
    if rng.random() < NOISY_SHARE:
        noise = read_audio(noises[int(rng.integers(len(noises)))], rate_hz)
        noisy = mix_noise(waveform, noise, rng.uniform(*SNR_DB), rng, rate_hz)
    gain = 10 ** (rng.uniform(*GAIN_DB) / 20)
    shifted = np.roll(noisy * gain, int(rng.integers(round(MAX_SHIFT_S * rate_hz))))
    return np.asarray(np.clip(shifted, -1, 1), np.float32)
