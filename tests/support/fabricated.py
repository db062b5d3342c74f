"""Fabricated features: invented samples and cached arrays, without a picture, a sound or VGG16."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield.model.audio_specs import YAMNET
from birdfield.model.sense import Sense
from birdfield.recognise.dataset import Sample
from birdfield.signals.windows import AudioSpec
from birdfield_train.features import Feature, FeatureSet
from birdfield_train.fit import FitConfig, FitSetup
from birdfield_train.samples import Split

CHANNELS = 8  # of an invented convolutional base


@dataclass(frozen=True)
class Counts:
    """The files of each species.

    Attributes:
        images: Photographs.
        recordings: Recordings.
        clips: Clips of each recording.
        frames: YAMNet patches of a clip.
    """

    images: int = 4
    recordings: int = 3
    clips: int = 2
    frames: int = YAMNET.patches_per_window


DEFAULT = Counts()


def make_feature(folder: Path, sample: Sample, values: NDArray[np.floating]) -> Feature:
    """Cache values as the features of a sample."""
    cached = folder / f"{sample.label}-{sample.sense}-{sample.path.name}.npy"
    np.save(cached, values.astype(np.float32))
    return Feature(sample, cached)


def make_features(folder: Path, labels: str, counts: Counts = DEFAULT, seed: int = 0) -> FeatureSet:
    """Generate species whose features scatter around a centre of their own.

    Args:
        folder: Receives the cached features.
        labels: One letter per species.
        counts: The files of each species.
        seed: Seed of the centres and the scatter.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    images: list[Feature] = []
    audio: list[Feature] = []
    for label in labels:
        colour, song = rng.normal(size=2 * CHANNELS), rng.normal(size=YAMNET.dim)
        images += [
            make_feature(
                folder,
                Sample(folder / f"{label}{index}.jpg", label, Sense.IMAGE, f"image:{index}"),
                colour + 0.5 * rng.normal(size=2 * CHANNELS),
            )
            for index in range(counts.images)
        ]
        audio += [
            make_feature(
                folder,
                Sample(
                    folder / f"{label}{index}__{clip}.wav", label, Sense.AUDIO, f"{label}{index}"
                ),
                song + 2 * rng.normal(size=(counts.frames, YAMNET.dim)),
            )
            for index in range(counts.recordings)
            for clip in range(counts.clips)
        ]
    return FeatureSet(tuple(images), tuple(audio), ())


def make_split(features: FeatureSet) -> Split:
    """Make all features training samples; species are numbered in the order of their letters."""
    samples = [*features.images, *features.audio]
    labels = sorted({feature.sample.label for feature in samples})
    images, audio = (
        np.array([labels.index(feature.sample.label) for feature in found], np.int64)
        for found in (features.images, features.audio)
    )
    return Split(features.images, features.audio, images, audio, len(labels))


def setup(config: FitConfig, seed: int = 0, audio: AudioSpec = YAMNET) -> FitSetup:
    """Return how the fabricated features are fitted."""
    return FitSetup(CHANNELS, audio, config, seed)
