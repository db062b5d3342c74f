"""Samples: the usable files of a run, numbered by species and recording and dealt to folds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birdfield.model.sense import EACH_SENSE, Sense
from birdfield.model.species import Species
from birdfield.recognise.folds import NEVER_TESTED, assign_folds, fold_of
from birdfield_train.features import NO_FEATURES, Feature, FeatureSet

FOLDS = 5


@dataclass(frozen=True)
class Split:
    """The training samples of one fit; a species may have samples of one sense only.

    Attributes:
        images: Features of N photographs.
        audio: Features of M recordings.
        image_labels: int64 [N], species.
        audio_labels: int64 [M], species.
        species: Number of species.
    """

    images: Sequence[Feature]
    audio: Sequence[Feature]
    image_labels: NDArray[np.int64]
    audio_labels: NDArray[np.int64]
    species: int


@dataclass(frozen=True)
class IndexedSamples:
    """The usable samples, with numbers for their species, recordings and folds.

    Attributes:
        species: The species, in the order of their numbers.
        features: Features of the photographs and of the recordings.
        labels: By sense, int64, the species of each sample.
        recordings: By sense, int64, the recording of each sample, unique over both senses.
        folds: By sense, int64, the fold of each sample, or folds.NEVER_TESTED.
        background: Photographs and recordings without a bird; they belong to no fold.
    """

    species: tuple[Species, ...]
    features: Mapping[Sense, Sequence[Feature]]
    labels: Mapping[Sense, NDArray[np.int64]]
    recordings: Mapping[Sense, NDArray[np.int64]]
    folds: Mapping[Sense, NDArray[np.int64]]
    background: FeatureSet

    def untested(self) -> list[Sense]:
        """Return the senses that have samples, none of which is in a fold."""
        return [
            sense
            for sense, folds in self.folds.items()
            if len(folds) and (folds == NEVER_TESTED).all()
        ]

    def split(self, fold: int | None) -> Split:
        """Return the samples outside a fold, or all samples when fold is None."""
        kept = {
            sense: np.flatnonzero(folds != fold) if fold is not None else np.arange(len(folds))
            for sense, folds in self.folds.items()
        }
        images, audio = (
            [self.features[sense][int(row)] for row in kept[sense]] for sense in EACH_SENSE
        )
        return Split(
            images,
            audio,
            self.labels[Sense.IMAGE][kept[Sense.IMAGE]],
            self.labels[Sense.AUDIO][kept[Sense.AUDIO]],
            len(self.species),
        )

    def tested(self, sense: Sense, fold: int) -> NDArray[np.int64]:
        """Return the rows of a sense's samples in a fold."""
        return np.flatnonzero(self.folds[sense] == fold)

    def tested_features(self, sense: Sense, fold: int) -> list[Feature]:
        """Return the features of a sense's samples in a fold."""
        return [self.features[sense][int(row)] for row in self.tested(sense, fold)]


def index_samples(
    features: FeatureSet,
    species: Sequence[Species],
    seed: int,
    background: FeatureSet = NO_FEATURES,
    folds: int = FOLDS,
) -> IndexedSamples:
    """Number the species and recordings of the usable samples, and deal these to folds.

    Args:
        features: Photographs and recordings with a bird.
        species: The species, in the order of their numbers.
        seed: Seed of the deal.
        background: Photographs and recordings without a bird.
        folds: Number of folds.
    """
    numbers = {entry.label: row for row, entry in enumerate(species)}
    by_sense = {Sense.IMAGE: features.images, Sense.AUDIO: features.audio}
    samples = {sense: [feature.sample for feature in found] for sense, found in by_sense.items()}
    everything = [*samples[Sense.IMAGE], *samples[Sense.AUDIO]]
    recordings: dict[tuple[str, str], int] = {}
    for sample in everything:
        recordings.setdefault((sample.label, sample.recording), len(recordings))
    dealt = assign_folds(everything, folds, seed)
    return IndexedSamples(
        tuple(species),
        by_sense,
        {
            sense: np.array([numbers[sample.label] for sample in found], np.int64)
            for sense, found in samples.items()
        },
        {
            sense: np.array(
                [recordings[sample.label, sample.recording] for sample in found], np.int64
            )
            for sense, found in samples.items()
        },
        {sense: fold_of(found, dealt) for sense, found in samples.items()},
        background,
    )
