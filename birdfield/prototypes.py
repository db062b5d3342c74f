"""Prototypes: what the samples of a species fuse to, on average, for each set of senses."""

from typing import Protocol

import numpy as np

from birdfield.encoder import SENSES, Vector, Vectors, unit


class Fuse(Protocol):
    """Joins tower vectors, as `birdfield.encoder.Encoder.fuse`."""

    def __call__(self, image: Vector | None, audio: Vector | None, image_weight: float = 1.0,
                 audio_weight: float = 1.0) -> Vector:
        """Join them, weighed."""


def prototypes_of(fuse: Fuse, images: Vectors, audio: Vectors) -> list[tuple[str, Vector]]:
    """Make the prototypes of one species: the mean of what its samples fuse to, by senses.

    Args:
        fuse: Joins tower vectors, as `Encoder.fuse`.
        images: float32 [N, 128], the species' photographs by the image tower; may be empty.
        audio: float32 [M, 128], its recordings by the audio tower; may be empty.

    Returns:
        Pairs of one of SENSES and a unit vector [128].
    """
    fused: dict[str, list[Vector]] = {sense: [] for sense in SENSES}
    fused["image"] = [fuse(vector, None) for vector in images]
    fused["audio"] = [fuse(None, vector) for vector in audio]
    if len(images) and len(audio):
        count = max(len(images), len(audio))
        fused["both"] = [fuse(images[row % len(images)], audio[row % len(audio)])
                         for row in range(count)]
    return [(sense, unit(np.mean(rows, axis=0))) for sense, rows in fused.items() if rows]
