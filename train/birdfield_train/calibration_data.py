"""Calibration data: a few hundred inputs of each tower, kept in a run for its quantisation."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield import atomic
from birdfield.signals.image import ImageSpec, read_image, resize_to_square
from birdfield.signals.windows import AudioSpec
from birdfield_train.batches import random_window
from birdfield_train.features import Feature, FeatureSet

PICTURES = 256
SEQUENCES = 256


@dataclass(frozen=True)
class CalibrationData:
    """Real inputs and their species.

    Attributes:
        images: uint8 [N, S, S, 3], BGR, resized to the size of the tower.
        image_labels: int64 [N], species.
        sequences: float32 [M, frames, dim].
        sequence_labels: int64 [M], species.
    """

    images: NDArray[np.uint8]
    image_labels: NDArray[np.int64]
    sequences: NDArray[np.float32]
    sequence_labels: NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Write the inputs to a file; sequences are stored as float16."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            images=self.images,
            sequences=self.sequences.astype(np.float16),
            image_labels=self.image_labels,
            sequence_labels=self.sequence_labels,
        )
        atomic.write_file(path, buffer.getvalue())


def load_calibration_data(path: Path) -> CalibrationData:
    """Read the inputs that `CalibrationData.save` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return CalibrationData(
            arrays["images"],
            arrays["image_labels"],
            arrays["sequences"].astype(np.float32),
            arrays["sequence_labels"],
        )


def choose_calibration_data(
    features: FeatureSet,
    labels: Sequence[str],
    image: ImageSpec,
    audio: AudioSpec,
    seed: int,
) -> CalibrationData:
    """Choose photographs and windows of sound, about equally many of each species.

    Args:
        features: The usable files.
        labels: The species' labels, in the order of their numbers.
        image: Spec of the image tower.
        audio: Spec of the frontend.
        seed: Seed of the choice.
    """
    rng = np.random.default_rng(seed)
    numbers = {label: row for row, label in enumerate(labels)}
    photographs = _choose(features.images, PICTURES, rng)
    recordings = _choose(features.audio, SEQUENCES, rng)
    images = np.zeros((len(photographs), image.size_px, image.size_px, 3), np.uint8)
    for row, feature in enumerate(photographs):
        images[row] = resize_to_square(read_image(feature.sample.path), image)
    sequences = np.zeros((len(recordings), audio.patches_per_window, audio.dim), np.float32)
    for row, feature in enumerate(recordings):
        sequences[row] = random_window(feature.load(), audio.patches_per_window, rng)
    image_labels, sequence_labels = (
        np.array([numbers[feature.sample.label] for feature in chosen], np.int64)
        for chosen in (photographs, recordings)
    )
    return CalibrationData(images, image_labels, sequences, sequence_labels)


def _choose(features: Sequence[Feature], count: int, rng: np.random.Generator) -> list[Feature]:
    """Take one file of each species in turn, in random order, until count are chosen."""
    groups: dict[str, list[Feature]] = {}
    for row in rng.permutation(len(features)):
        groups.setdefault(features[row].sample.label, []).append(features[row])
    in_turn = [
        group[turn]
        for turn in range(max(map(len, groups.values()), default=0))
        for group in groups.values()
        if turn < len(group)
    ]
    return in_turn[:count]
