"""Sounds of 15 s that a frontend may get."""

import numpy as np

from birdfield_train.toy_aviary import sing


def sounds() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "song": np.concatenate([sing(place, rng, 4.0) for place in range(4)]),
        "noise": rng.normal(0, 0.1, 240_000).astype(np.float32),
        "silence": np.zeros(240_000, np.float32),
        "quiet beside loud": (
            0.9 * np.sin(np.arange(240_000)) * (np.arange(240_000) > 120_000)
            + rng.normal(0, 1e-4, 240_000)
        ).astype(np.float32),
    }
