"""The factory gallery: the prototypes of every species of the training data."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from birdfield.model.calibration import Calibration
from birdfield.model.encoder import DIM, Vector, Vectors
from birdfield.model.gallery import Gallery
from birdfield.model.prototypes import Fuse, prototypes_of
from birdfield.model.sense import SENSES
from birdfield.model.species import Species

UNCALIBRATED = Calibration((0.1, 0.1, 0.1), (-1.0, -1.0, -1.0), 0.5)


def build_gallery(
    fuse: Fuse,
    species: Sequence[Species],
    images: Vectors,
    image_labels: NDArray[np.int64],
    audio: Vectors,
    audio_labels: NDArray[np.int64],
    calibration: Calibration = UNCALIBRATED,
) -> Gallery:
    """Make the gallery of all species from the tower vectors of their samples."""
    vectors: list[Vector] = []
    owner: list[int] = []
    senses: list[int] = []
    for row in range(len(species)):
        made = prototypes_of(fuse, images[image_labels == row], audio[audio_labels == row])
        vectors += [vector for _, vector in made]
        senses += [SENSES.index(sense) for sense, _ in made]
        owner += [row] * len(made)
    thresholds = np.tile(np.array(calibration.threshold, np.float32), (len(species), 1))
    return Gallery(
        tuple(species),
        np.array(vectors, np.float32).reshape(-1, DIM),
        np.array(owner, np.int32),
        np.array(senses, np.uint8),
        thresholds,
        calibration,
    )
