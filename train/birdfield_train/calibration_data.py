"""A few hundred inputs of each tower that a run keeps, for quantising without the data."""

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
        images: uint8 [N, S, S, 3], BGR, squeezed to the tower's size.
        image_labels: int64 [N].
        sequences: float32 [M, frames, dim].
        sequence_labels: int64 [M].
    """

    images: NDArray[np.uint8]
    image_labels: NDArray[np.int64]
    sequences: NDArray[np.float32]
    sequence_labels: NDArray[np.int64]


def save_calibration_data(
    path: Path,
    features: FeatureSet,
    labels: Sequence[str],
    spec: ImageSpec,
    audio_spec: AudioSpec,
    seed: int,
) -> None:
    """Keep some photographs and windows, of all species about equally many."""
    rng = np.random.default_rng(seed)
    index = {label: row for row, label in enumerate(labels)}
    images = _choose(features.images, PICTURES, rng)
    audio = _choose(features.audio, SEQUENCES, rng)
    square = np.zeros((len(images), spec.size_px, spec.size_px, 3), np.uint8)
    for row, feature in enumerate(images):
        square[row] = resize_to_square(read_image(feature.sample.path), spec)
    sequences = np.zeros((len(audio), audio_spec.patches_per_window, audio_spec.dim), np.float16)
    for row, feature in enumerate(audio):
        sequences[row] = random_window(feature.load(), audio_spec.patches_per_window, rng)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        images=square,
        sequences=sequences,
        image_labels=np.array([index[feature.sample.label] for feature in images], np.int64),
        sequence_labels=np.array([index[feature.sample.label] for feature in audio], np.int64),
    )
    atomic.write_file(path, buffer.getvalue())


def load_calibration_data(path: Path) -> CalibrationData:
    """Read what `save_calibration_data` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return CalibrationData(
            arrays["images"],
            arrays["image_labels"],
            arrays["sequences"].astype(np.float32),
            arrays["sequence_labels"],
        )


def _choose(features: Sequence[Feature], count: int, rng: np.random.Generator) -> list[Feature]:
    """Take species in turn, each in random order, until there are enough."""
    groups: dict[str, list[Feature]] = {}
    for row in rng.permutation(len(features)):
        groups.setdefault(features[row].sample.label, []).append(features[row])
    turns = [
        group[turn]
        for turn in range(max(map(len, groups.values()), default=0))
        for group in groups.values()
        if turn < len(group)
    ]
    return turns[:count]
