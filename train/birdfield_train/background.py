"""Prototypes of no bird: where pictures and sounds without one come to lie, by senses."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from birdfield.evaluate.pairs import fuse_senses, pair_at_random
from birdfield.model.encoder import DIM, Vectors, unit
from birdfield.model.gallery import Gallery
from birdfield.model.prototypes import Fuse
from birdfield.model.sense import SENSES

CENTRES = 12  # of each set of senses, at most
ROUNDS = 20  # of k-means, at most


def with_background(
    gallery: Gallery, fuse: Fuse, images: Vectors, audio: Vectors, seed: int = 0
) -> Gallery:
    """Give a gallery the prototypes of `background_prototypes`."""
    vectors, senses = background_prototypes(fuse, images, audio, seed)
    return replace(gallery, background_vectors=vectors, background_senses=senses)


def background_prototypes(
    fuse: Fuse, images: Vectors, audio: Vectors, seed: int = 0
) -> tuple[Vectors, NDArray[np.uint8]]:
    """Make prototypes of what no bird is: the centres of its samples, by senses.

    Args:
        fuse: Joins tower vectors.
        images: float32 [N, 128], photographs of no bird by the image tower; may be empty.
        audio: float32 [M, 128], recordings of no bird by the audio tower; may be empty.
        seed: Of the pairing, each file at least once, and of the centres.

    Returns:
        Unit vectors float32 [K, 128] and their senses uint8 [K], as `Gallery` holds them.
    """
    rng = np.random.default_rng(seed)
    fused = fuse_senses(fuse, images, audio, pair_at_random(len(images), len(audio), rng))
    centres = [spherical_kmeans(fused[sense], CENTRES, rng) for sense in SENSES]
    senses = [np.full(len(found), row, np.uint8) for row, found in enumerate(centres)]
    return np.concatenate(centres), np.concatenate(senses)


def spherical_kmeans(vectors: Vectors, count: int, rng: np.random.Generator) -> Vectors:
    """Find centres on the sphere that vectors are near to (Dhillon and Modha, 2001).

    Args:
        vectors: float32 [N, D], unit.
        count: Centres, at most; never more than vectors.
        rng: Draws the vectors that are centres first.

    Returns:
        Unit float32 [min(count, N), D].
    """
    count = min(count, len(vectors))
    if not count:
        return np.zeros((0, DIM), np.float32)
    centres = vectors[rng.choice(len(vectors), count, replace=False)]
    nearest = np.full(len(vectors), -1)
    for _ in range(ROUNDS):
        before, nearest = nearest, (vectors @ centres.T).argmax(axis=1)
        if np.array_equal(before, nearest):
            break
        # A centre that lost all its vectors stays where it is.
        centres = np.stack(
            [
                unit(vectors[nearest == row].mean(axis=0))
                if (nearest == row).any()
                else centres[row]
                for row in range(count)
            ]
        )
    return centres
