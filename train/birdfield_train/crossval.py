"""Seeded recording-wise cross-validation: what chooses epochs and gain, and what is reported."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield import atomic
from birdfield.arrays import dump_arrays
from birdfield.evaluate.figures import Figures
from birdfield.evaluate.pairs import LabelledEmbeddings
from birdfield.evaluate.scores import EvaluationScores, late_fusion, score
from birdfield.evaluate.scores import concatenate as concatenate_scored
from birdfield.evaluate.summary import summarise
from birdfield.model.calibration import Calibration
from birdfield.model.sense import SENSES, Sense
from birdfield.model.species import Species
from birdfield.recognise.folds import NEVER_TESTED, assign_folds, fold_of
from birdfield.signals.windows import AudioSpec
from birdfield_train.backbones import Backbone
from birdfield_train.background import with_background
from birdfield_train.calibrate import fit_calibration, species_thresholds
from birdfield_train.factory import build_gallery
from birdfield_train.features import Feature, FeatureSet
from birdfield_train.fine_tune import POOLED_VIEWS, pool_images, tuned_tail
from birdfield_train.fit import FitConfig, Fitter
from birdfield_train.fusion_weights import FusionWeights
from birdfield_train.heads import Heads, Split

FOLDS = 5
EPOCH_GRID = (1, 2, 4, 8)
GAIN_GRID = (0.1, 0.15, 0.2, 0.3, 0.45, 0.55, 0.7, 1.0, 1.5)
UNTESTED_GAIN = 0.3  # where no fold holds a pair

NONE = FeatureSet((), (), ())

log = logging.getLogger(__name__)

Option = tuple[int, float]  # epochs, gain
Right = Mapping[str, NDArray[np.bool_]]  # by "image", "audio", "both": of each sample of a fold
EpochDone = Callable[[str, int, int, Mapping[str, float]], None]


@dataclass(frozen=True)
class Indexed:
    """The usable samples with their species, recordings and folds as numbers.

    Attributes:
        species: N species.
        features: Photographs and recordings.
        labels: By sense, int64, the species of each.
        recordings: By sense, int64, unique over both.
        folds: By sense, int64, the fold of each, or dataset.STAYS.
        background: Photographs and recordings of no bird; in no fold.
    """

    species: tuple[Species, ...]
    features: Mapping[Sense, Sequence[Feature]]
    labels: Mapping[Sense, NDArray[np.int64]]
    recordings: Mapping[Sense, NDArray[np.int64]]
    folds: Mapping[Sense, NDArray[np.int64]]
    background: FeatureSet

    def untested(self) -> list[Sense]:
        """List the senses that are there and of which no file is ever left out."""
        return [
            sense
            for sense, folds in self.folds.items()
            if len(folds) and (folds == NEVER_TESTED).all()
        ]

    def split(self, fold: int | None) -> Split:
        """Return what is trained on when a fold is tested, or everything."""
        kept = {
            sense: np.flatnonzero(self.folds[sense] != fold)
            if fold is not None
            else np.arange(len(self.folds[sense]))
            for sense in self.features
        }
        images, audio = (
            [self.features[sense][int(row)] for row in kept[sense]]
            for sense in (Sense.IMAGE, Sense.AUDIO)
        )
        return Split(
            images,
            audio,
            self.labels[Sense.IMAGE][kept[Sense.IMAGE]],
            self.labels[Sense.AUDIO][kept[Sense.AUDIO]],
            len(self.species),
        )

    def tested(self, sense: Sense, fold: int) -> NDArray[np.int64]:
        """Return the rows of a sense that are tested in a fold."""
        return np.flatnonzero(self.folds[sense] == fold)


def index_samples(
    features: FeatureSet, species: Sequence[Species], seed: int, background: FeatureSet = NONE
) -> Indexed:
    """Number the species and recordings of the usable samples and deal them to folds."""
    labels = {entry.label: row for row, entry in enumerate(species)}
    by_sense: dict[Sense, Sequence[Feature]] = {
        Sense.IMAGE: features.images,
        Sense.AUDIO: features.audio,
    }
    samples = {sense: [feature.sample for feature in found] for sense, found in by_sense.items()}
    everything = [*samples[Sense.IMAGE], *samples[Sense.AUDIO]]
    names: dict[tuple[str, str], int] = {}
    for sample in everything:
        names.setdefault((sample.label, sample.recording), len(names))
    folds = assign_folds(everything, FOLDS, seed)
    return Indexed(
        tuple(species),
        by_sense,
        {
            sense: np.array([labels[sample.label] for sample in found], np.int64)
            for sense, found in samples.items()
        },
        {
            sense: np.array([names[sample.label, sample.recording] for sample in found], np.int64)
            for sense, found in samples.items()
        },
        {sense: fold_of(found, folds) for sense, found in samples.items()},
        background,
    )


@dataclass(frozen=True)
class Selected:
    """What cross-validation chose, and what it measured.

    Attributes:
        epochs: For the fit on all data.
        gain: What hearing counts beside sight.
        calibration: Fitted on all folds.
        thresholds: float32 [N, 3].
        report: The figures, each fold scored with what the other folds chose.
        predictions: The true and the given species by the pairs' joint embedding, int64 [P] each.
    """

    epochs: int
    gain: float
    calibration: Calibration
    thresholds: NDArray[np.float32]
    report: Figures
    predictions: tuple[NDArray[np.int64], NDArray[np.int64]]


def cross_validate(
    samples: Indexed,
    backbone: Backbone,
    audio: AudioSpec,
    config: FitConfig,
    seed: int,
    folder: Path,
    on_epoch: EpochDone,
) -> Selected:
    """Fit every fold, score every option, and choose.

    Args:
        samples: Dealt to folds.
        backbone: The convolutional base; its tail is fine-tuned anew in each fold.
        audio: Of the frontend.
        config: Of the fits.
        seed: Of the fits and the pairing.
        folder: For checkpoints and fold outputs: what is there is not computed again.
        on_epoch: Told after each epoch of each fold.
    """
    right: dict[Option, list[Right]] = {}
    for fold in range(FOLDS):
        _fit_fold(samples, fold, backbone, audio, config, seed, folder, on_epoch)
        for option, result in _score_fold(samples, fold, folder, seed):
            right.setdefault(option, []).append(right_answers(result))
    chosen, nested = _choose(right, range(FOLDS)), _nested_options(right)
    # Only these are kept whole: with hundreds of species, all options would fill the memory.
    scored: dict[Option, list[EvaluationScores]] = {}
    for fold in range(FOLDS):
        for option, result in _score_fold(samples, fold, folder, seed, {chosen, *nested}):
            scored.setdefault(option, []).append(result)
    parts = scored[chosen]
    calibration = fit_calibration(parts, samples.untested())
    return Selected(
        *chosen,
        calibration,
        species_thresholds(parts, calibration, len(samples.species)),
        *_nested_report(scored, nested, len(samples.species)),
    )


def _output(folder: Path, fold: int, epoch: int) -> Path:
    return folder / f"fold{fold}-epoch{epoch:03d}.npz"


def _fit_fold(
    samples: Indexed,
    fold: int,
    backbone: Backbone,
    audio: AudioSpec,
    config: FitConfig,
    seed: int,
    folder: Path,
    on_epoch: EpochDone,
) -> None:
    """Train without a fold; at each epoch of the grid, embed what was trained and tested on."""
    if all(_output(folder, fold, epoch).exists() for epoch in EPOCH_GRID):
        return
    split = samples.split(fold)
    tested = {
        sense: [samples.features[sense][int(row)] for row in samples.tested(sense, fold)]
        for sense in (Sense.IMAGE, Sense.AUDIO)
    }

    stage = f"fold {fold + 1}/{FOLDS}"
    tail = tuned_tail(
        backbone,
        split.images,
        split.image_labels,
        seed + 1 + fold,
        folder / f"fold{fold}-tail.npz",
        lambda *told: on_epoch(f"{stage} base", *told),
    )
    split = replace(split, images=pool_images(tail, split.images, POOLED_VIEWS))
    tested_images = pool_images(tail, tested[Sense.IMAGE])
    background_images = pool_images(tail, samples.background.images)

    def embed(epoch: int, heads: Heads) -> None:
        path = _output(folder, fold, epoch)
        if epoch in EPOCH_GRID and not path.exists():
            atomic.write_file(
                path,
                dump_arrays(
                    {
                        "train_images": heads.embed_images(split.images),
                        "train_audio": heads.embed_audio(split.audio),
                        "test_images": heads.embed_images(tested_images),
                        "test_audio": heads.embed_audio(tested[Sense.AUDIO]),
                        "nobird_images": heads.embed_images(background_images),
                        "nobird_audio": heads.embed_audio(samples.background.audio),
                        **heads.fusion_weights().to_arrays(),
                    }
                ),
            )

    def epoch_done(epoch: int, heads: Heads, row: dict[str, float]) -> None:
        on_epoch(stage, epoch, max(EPOCH_GRID), row)
        embed(epoch, heads)

    fitter = Fitter(
        split, backbone.channels, audio, config, seed + 1 + fold, folder / f"fold{fold}.npz"
    )
    if fitter.history:  # a kill may have come between checkpoint and what follows it
        epoch_done(fitter.epoch, fitter.heads, fitter.history[-1])
    fitter.run(max(EPOCH_GRID), epoch_done)


def _score_fold(
    samples: Indexed, fold: int, folder: Path, seed: int, wanted: Collection[Option] | None = None
) -> Iterator[tuple[Option, EvaluationScores]]:
    """Score a fold by each option, or by those that are wanted."""
    split = samples.split(fold)
    rows = {sense: samples.tested(sense, fold) for sense in (Sense.IMAGE, Sense.AUDIO)}
    for epoch in EPOCH_GRID:
        gains = [gain for gain in GAIN_GRID if wanted is None or (epoch, gain) in wanted]
        if not gains:
            continue
        with np.load(_output(folder, fold, epoch), allow_pickle=False) as saved:
            arrays = dict(saved)
        trained, tested, background = (
            [arrays.pop(f"{part}_{sense}") for sense in ("images", Sense.AUDIO)]
            for part in ("train", "test", "nobird")
        )
        images, audio = (
            LabelledEmbeddings(
                vectors, samples.labels[sense][rows[sense]], samples.recordings[sense][rows[sense]]
            )
            for vectors, sense in zip(tested, (Sense.IMAGE, Sense.AUDIO), strict=True)
        )
        for gain in gains:
            fusion = FusionWeights(**arrays).with_gain(gain)
            gallery = build_gallery(
                fusion.fuse,
                samples.species,
                trained[0],
                split.image_labels,
                trained[1],
                split.audio_labels,
            )
            gallery = with_background(gallery, fusion.fuse, background[0], background[1], seed)
            yield (epoch, gain), score(fusion.fuse, gallery, images, audio, seed)


def right_answers(scored: EvaluationScores) -> Right:
    """Tell which samples of each sense were right."""
    return {sense: scored.by_sense(sense).correct for sense in SENSES}


def _nested_options(right: Mapping[Option, Sequence[Right]]) -> list[Option]:
    """Return what the other folds choose for each fold."""
    return [
        _choose(right, [other for other in range(FOLDS) if other != fold]) for fold in range(FOLDS)
    ]


def _choose(right: Mapping[Option, Sequence[Right]], folds: Sequence[int]) -> Option:
    """Choose by the right answers in some folds: of each sense first, then of both.

    Epochs are chosen by the towers, whose scores do not depend on the gain; the gain by pairs.
    """

    def share(option: Option, sense: Sense) -> float:
        found = np.concatenate([right[option][fold][sense] for fold in folds])
        return float(found.mean()) if len(found) else 0.0

    epoch = max(
        EPOCH_GRID,
        key=lambda value: (
            share((value, GAIN_GRID[0]), Sense.IMAGE) + share((value, GAIN_GRID[0]), Sense.AUDIO)
        ),
    )
    if not any(len(results[fold][Sense.BOTH]) for results in right.values() for fold in folds):
        return epoch, UNTESTED_GAIN
    return epoch, max(GAIN_GRID, key=lambda value: share((epoch, value), Sense.BOTH))


def _nested_report(
    scored: Mapping[Option, Sequence[EvaluationScores]], options: Sequence[Option], species: int
) -> tuple[Figures, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Score each fold with the options, thresholds and weights that the other folds chose."""
    results: list[EvaluationScores] = []
    late: list[NDArray[np.bool_]] = []
    for fold, option in enumerate(options):
        parts = [scored[option][other] for other in range(FOLDS) if other != fold]
        calibration = fit_calibration(parts)
        result = scored[option][fold].with_calibration(
            calibration, species_thresholds(parts, calibration, species)
        )
        results.append(result)
        late.append(late_fusion(result, calibration))
    joined = concatenate_scored(results)
    return (
        summarise(joined, "cross-validation", species, np.concatenate(late)),
        (joined.both.labels, joined.both.similarities.argmax(axis=1)),
    )
