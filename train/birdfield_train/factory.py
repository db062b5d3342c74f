"""Factory gallery: the prototypes of all species in the training data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birdfield.model.calibration import Calibration
from birdfield.model.encoder import DIM, Vector, Vectors
from birdfield.model.gallery import Gallery
from birdfield.model.prototypes import Fuse, prototypes_of
from birdfield.model.sense import SENSES
from birdfield.model.species import Species

UNCALIBRATED = Calibration((0.1, 0.1, 0.1), (-1.0, -1.0, -1.0), 0.5)


@dataclass(frozen=True)
class LabelledVectors:
    """The vectors of one tower, and the species of each.

    Attributes:
        vectors: float32 [N, 128], unit.
        labels: int64 [N], species.
    """

    vectors: Vectors
    labels: NDArray[np.int64]


def build_gallery(
    fuse: Fuse,
    species: Sequence[Species],
    images: LabelledVectors,
    audio: LabelledVectors,
    calibration: Calibration = UNCALIBRATED,
) -> Gallery:
    """Build the gallery of all species from the tower vectors of their samples.

    Args:
        fuse: Joins tower vectors.
        species: The species, in the order of their numbers.
        images: Photographs by the image tower; may be empty.
        audio: Recordings by the audio tower; may be empty.
        calibration: Supplies one threshold per sense for all species.
    """
    vectors: list[Vector] = []
    owner: list[int] = []
    senses: list[int] = []
    for row in range(len(species)):
        prototypes = prototypes_of(
            fuse, images.vectors[images.labels == row], audio.vectors[audio.labels == row]
        )
        vectors += [vector for _, vector in prototypes]
        senses += [SENSES.index(sense) for sense, _ in prototypes]
        owner += [row] * len(prototypes)
    return Gallery(
        tuple(species),
        np.array(vectors, np.float32).reshape(-1, DIM),
        np.array(owner, np.int32),
        np.array(senses, np.uint8),
        np.tile(np.array(calibration.threshold, np.float32), (len(species), 1)),
        calibration,
    )
