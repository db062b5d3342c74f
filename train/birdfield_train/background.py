"""Background prototypes: the cluster centres of pictures and sounds without a bird, by senses."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from birdfield.evaluate.pairs import fuse_senses, pair_at_random
from birdfield.model.encoder import DIM, Vectors, unit
from birdfield.model.gallery import Gallery
from birdfield.model.prototypes import Fuse
from birdfield.model.sense import SENSES

MAX_CENTRES = 12  # per set of senses
MAX_ROUNDS = 20  # of k-means


def with_background(
    gallery: Gallery, fuse: Fuse, images: Vectors, audio: Vectors, seed: int = 0
) -> Gallery:
    """Return a gallery with the prototypes of `background_prototypes`."""
    vectors, senses = background_prototypes(fuse, images, audio, seed)
    return replace(gallery, background_vectors=vectors, background_senses=senses)


def background_prototypes(
    fuse: Fuse, images: Vectors, audio: Vectors, seed: int = 0
) -> tuple[Vectors, NDArray[np.uint8]]:
    """Compute prototypes of background: the centres of its samples, by senses.

    Args:
        fuse: Joins tower vectors.
        images: float32 [N, 128], photographs without a bird by the image tower; may be empty.
        audio: float32 [M, 128], recordings without a bird by the audio tower; may be empty.
        seed: Seed of the pairs, which use each file at least once, and of the centres.

    Returns:
        Unit vectors float32 [K, 128] and their senses uint8 [K], as in `Gallery`.
    """
    rng = np.random.default_rng(seed)
    fused = fuse_senses(fuse, images, audio, pair_at_random(len(images), len(audio), rng))
    centres = [spherical_kmeans(fused[sense], MAX_CENTRES, rng) for sense in SENSES]
    senses = [np.full(len(found), row, np.uint8) for row, found in enumerate(centres)]
    return np.concatenate(centres), np.concatenate(senses)


def spherical_kmeans(vectors: Vectors, count: int, rng: np.random.Generator) -> Vectors:
    """Find cluster centres of unit vectors (Dhillon and Modha, 2001).

    Args:
        vectors: float32 [N, D], unit.
        count: The most centres; there are never more than vectors.
        rng: Draws the vectors that serve as the first centres.

    Returns:
        Unit float32 [min(count, N), D].
    """
    count = min(count, len(vectors))
    if not count:
        return np.zeros((0, DIM), np.float32)
    centres = vectors[rng.choice(len(vectors), count, replace=False)]
    nearest = np.full(len(vectors), -1)
    for _ in range(MAX_ROUNDS):
        before, nearest = nearest, (vectors @ centres.T).argmax(axis=1)
        if np.array_equal(before, nearest):
            break
        # A centre without vectors keeps its place.
        centres = np.stack(
            [
                unit(vectors[nearest == row].mean(axis=0))
                if (nearest == row).any()
                else centres[row]
                for row in range(count)
            ]
        )
    return centres
