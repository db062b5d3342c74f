"""Fabricated features: random features of species, without pictures, sounds or VGG16."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield.model.audio_specs import YAMNET
from birdfield.model.sense import Sense
from birdfield.recognise.dataset import Sample
from birdfield_train.features import Feature, FeatureSet
from birdfield_train.heads import Split

CHANNELS = 8  # of the last layer of a convolutional base


def make_feature(
    folder: Path, name: str, label: str, sense: Sense, recording: str, values: NDArray[np.floating]
) -> Feature:
    """Write the values of one feature to a folder, and return it."""
    cached = folder / f"{label}-{sense}-{name}.npy"
    np.save(cached, values.astype(np.float32))
    return Feature(Sample(folder / name, label, sense, recording), cached)


def make_features(
    folder: Path,
    labels: str,
    images: int = 4,
    recordings: int = 3,
    clips: int = 2,
    frames: int = YAMNET.patches_per_window,
    seed: int = 0,
) -> FeatureSet:
    """Write features that cluster around a centre for each species.

    Args:
        folder: The folder of the cached features.
        labels: The species, one letter each.
        images: The number of photographs of each species.
        recordings: The number of recordings of each species.
        clips: The number of clips of each recording.
        frames: The number of YAMNet patches of each clip.
        seed: The seed of the noise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    seen: list[Feature] = []
    heard: list[Feature] = []
    for label in labels:
        colour, song = rng.normal(size=2 * CHANNELS), rng.normal(size=YAMNET.dim)
        seen += [
            make_feature(
                folder,
                f"{label}{index}.jpg",
                label,
                Sense.IMAGE,
                f"image:{index}",
                colour + 0.5 * rng.normal(size=2 * CHANNELS),
            )
            for index in range(images)
        ]
        heard += [
            make_feature(
                folder,
                f"{label}{index}__{clip}.wav",
                label,
                Sense.AUDIO,
                f"{label}{index}",
                song + 2 * rng.normal(size=(frames, YAMNET.dim)),
            )
            for index in range(recordings)
            for clip in range(clips)
        ]
    return FeatureSet(tuple(seen), tuple(heard), ())


def make_split(features: FeatureSet) -> Split:
    """Return a split that trains on all features; the species are sorted."""
    samples = [*features.images, *features.audio]
    labels = sorted({feature.sample.label for feature in samples})
    images, audio = (
        np.array([labels.index(feature.sample.label) for feature in found], np.int64)
        for found in (features.images, features.audio)
    )
    return Split(features.images, features.audio, images, audio, len(labels))
