"""Folds: a seeded split of samples for cross-validation, which keeps recordings whole."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from birdfield.recognise.dataset import Sample

NEVER_TESTED = -1  # the fold of samples that are in every training set


def assign_folds(samples: Iterable[Sample], count: int, seed: int) -> dict[tuple[str, str], int]:
    """Distribute the recordings of each species over folds.

    Args:
        samples: Photographs and recordings together; a recording with both is in one fold.
        count: Number of folds.
        seed: Seed of the distribution.

    Returns:
        The fold, 0..count-1, by (label, recording); NEVER_TESTED for the only recording of a
        species and sense.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for sample in samples:
        recordings = groups.setdefault((sample.label, sample.sense), [])
        if sample.recording not in recordings:
            recordings.append(sample.recording)
    folds: dict[tuple[str, str], int] = {}
    rng = np.random.default_rng(seed)
    for (label, _), recordings in sorted(groups.items()):
        new = [name for name in sorted(recordings) if (label, name) not in folds]
        first = int(rng.integers(count))
        for place, index in enumerate(rng.permutation(len(new))):
            fold = (first + place) % count
            folds[label, new[index]] = NEVER_TESTED if len(recordings) == 1 else fold
    return folds


def fold_of(samples: Sequence[Sample], folds: Mapping[tuple[str, str], int]) -> NDArray[np.int64]:
    """Return the fold of each sample, int64 [N]."""
    return np.array([folds[sample.label, sample.recording] for sample in samples], np.int64)
