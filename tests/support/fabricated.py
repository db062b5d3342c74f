"""Samples and cached features made up by code: no picture, no sound, no VGG16."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield.model.audio_specs import YAMNET
from birdfield.model.sense import Sense
from birdfield.recognise.dataset import Sample
from birdfield_train.features import Feature, FeatureSet
from birdfield_train.heads import Split

CHANNELS = 8  # of a convolutional base that never was


def make_feature(
    folder: Path, name: str, label: str, sense: Sense, recording: str, values: NDArray[np.floating]
) -> Feature:
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
    """Make species, a letter each, whose features lie around a centre of their own.

    Args:
        folder: Where the cached features are written.
        labels: A letter a species.
        images: Photographs of each.
        recordings: Recordings of each.
        clips: Of each recording.
        frames: YAMNet patches of a clip.
        seed: Of the noise.
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
    """Take all features as training samples, species in the order of their letters."""
    samples = [*features.images, *features.audio]
    labels = sorted({feature.sample.label for feature in samples})
    images, audio = (
        np.array([labels.index(feature.sample.label) for feature in found], np.int64)
        for found in (features.images, features.audio)
    )
    return Split(features.images, features.audio, images, audio, len(labels))
