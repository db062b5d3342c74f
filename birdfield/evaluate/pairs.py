"""Pairs: photographs and recordings put side by side, and fused."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birdfield.model.encoder import DIM, Vectors
from birdfield.model.prototypes import Fuse
from birdfield.model.sense import Sense

PAIRS = 20  # distinct pairs of a photograph and a recording, at most, for each species


@dataclass(frozen=True)
class Embedded:
    """One sense's test files, embedded by their tower.

    Attributes:
        vectors: float32 [N, 128], unit, one a file.
        labels: int64 [N], the species' index in the gallery.
        recordings: int64 [N], the recording, or the photograph, of each.
    """

    vectors: Vectors
    labels: NDArray[np.int64]
    recordings: NDArray[np.int64]


def draw_pairs(
    images: Embedded, audio: Embedded, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair each species' photographs and recordings at random, seeded.

    Returns:
        Rows of `images` and rows of `audio`, int64 [P] each: up to PAIRS a species, no pair twice.
    """
    rng = np.random.default_rng(seed)
    left: list[int] = []
    right: list[int] = []
    for label in np.intersect1d(images.labels, audio.labels):
        seen = np.flatnonzero(images.labels == label)
        heard = np.flatnonzero(audio.labels == label)
        total = len(seen) * len(heard)
        for pair in rng.choice(total, min(PAIRS, total), replace=False):
            left.append(int(seen[pair // len(heard)]))
            right.append(int(heard[pair % len(heard)]))
    return np.array(left, np.int64), np.array(right, np.int64)


def pair_at_random(
    images: int, audio: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair so many photographs and recordings, each at least once; rows, int64 [P] each."""
    pairs = max(images, audio) if images and audio else 0
    left, right = (np.resize(rng.permutation(count), pairs) for count in (images, audio))
    return left, right


def fuse_senses(
    fuse: Fuse, images: Vectors, audio: Vectors, left: NDArray[np.int64], right: NDArray[np.int64]
) -> dict[Sense, Vectors]:
    """Fuse photographs [N, 128], recordings [M, 128] and pairs of their rows [P], by SENSES."""
    return {
        Sense.IMAGE: fuse_rows(fuse, images, None),
        Sense.AUDIO: fuse_rows(fuse, None, audio),
        Sense.BOTH: fuse_rows(fuse, images[left], audio[right]),
    }


def fuse_rows(fuse: Fuse, images: Vectors | None, audio: Vectors | None) -> Vectors:
    """Fuse tower vectors row by row; one side may be None. Returns float32 [N, 128]."""
    count = len(images if images is not None else audio if audio is not None else ())
    rows = [
        fuse(None if images is None else images[row], None if audio is None else audio[row])
        for row in range(count)
    ]
    return np.array(rows, np.float32).reshape(count, DIM)
