"""Cross-validation: fits each fold, chooses epochs and gain, and reports held-out scores."""

from collections.abc import Collection, Iterator, Mapping, Sequence
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
from birdfield.model.sense import Sense
from birdfield_train.backbones import Backbone
from birdfield_train.background import with_background
from birdfield_train.calibrate import fit_calibration, species_thresholds
from birdfield_train.config import StageEpoch
from birdfield_train.factory import LabelledVectors, build_gallery
from birdfield_train.features import Feature
from birdfield_train.fine_tune import POOLED_VIEWS, TuneEpoch, pool_images, tuned_tail
from birdfield_train.fit import FitSetup, Fitter
from birdfield_train.fusion_weights import FusionWeights
from birdfield_train.heads import Heads
from birdfield_train.history import EpochMetrics
from birdfield_train.samples import IndexedSamples, Split
from birdfield_train.selection import (
    Correct,
    Grid,
    Option,
    choose,
    correct_answers,
    nested_options,
)

Predictions = tuple[NDArray[np.int64], NDArray[np.int64]]  # true and predicted species


@dataclass(frozen=True)
class TrainingJob:
    """The samples, the base and the settings that all fits of a run share.

    Attributes:
        samples: The samples, dealt to folds.
        backbone: The convolutional base.
        setup: How the heads are trained.
        checkpoints: The folder of checkpoints; files in it are not computed again.
    """

    samples: IndexedSamples
    backbone: Backbone
    setup: FitSetup
    checkpoints: Path

    def embeddings_path(self, fold: int, epoch: int) -> Path:
        """Return the file of a fold's embeddings after an epoch."""
        return self.checkpoints / f"fold{fold}-epoch{epoch:03d}.npz"


@dataclass(frozen=True)
class Selected:
    """The choices and the measurements of cross-validation.

    Attributes:
        epochs: Epochs of the fit on all samples.
        gain: Weight of sound in the fusion.
        calibration: Fitted on all folds.
        thresholds: float32 [N, 3], by species and SENSES.
        figures: Top-1 and other measurements; each fold is scored with the choices of the others.
        predictions: By the joint embedding of P pairs, int64 [P] each.
    """

    epochs: int
    gain: float
    calibration: Calibration
    thresholds: NDArray[np.float32]
    figures: Figures
    predictions: Predictions


def cross_validate(job: TrainingJob, grid: Grid, on_epoch: StageEpoch) -> Selected:
    """Fit each fold, score each option, and choose.

    Args:
        job: The samples, and how they are fitted.
        grid: The options.
        on_epoch: Called after each epoch of each fold.
    """
    correct: dict[Option, list[Correct]] = {}
    for fold in range(grid.folds):
        _fit_fold(job, grid, fold, on_epoch)
        for option, scored in _score_fold(job, grid, fold):
            correct.setdefault(option, []).append(correct_answers(scored))
    chosen, nested = choose(correct, grid, range(grid.folds)), nested_options(correct, grid)
    # With hundreds of species, the scores of all options would fill the memory.
    kept: dict[Option, list[EvaluationScores]] = {}
    for fold in range(grid.folds):
        for option, scored in _score_fold(job, grid, fold, {chosen, *nested}):
            kept.setdefault(option, []).append(scored)
    species = len(job.samples.species)
    calibration = fit_calibration(kept[chosen], job.samples.untested())
    return Selected(
        *chosen,
        calibration,
        species_thresholds(kept[chosen], calibration, species),
        *nested_report(kept, nested, species),
    )


@dataclass(frozen=True)
class _FoldInputs:
    """The samples of one fold, with pooled features of the photographs."""

    split: Split
    tested_images: Sequence[Feature]
    tested_audio: Sequence[Feature]
    background_images: Sequence[Feature]
    background_audio: Sequence[Feature]

    def embed(self, heads: Heads) -> dict[str, NDArray[np.float32]]:
        """Return the embeddings of all samples and the weights of the fusion, by name."""
        return {
            "train_images": heads.embed_images(self.split.images),
            "train_audio": heads.embed_audio(self.split.audio),
            "test_images": heads.embed_images(self.tested_images),
            "test_audio": heads.embed_audio(self.tested_audio),
            "nobird_images": heads.embed_images(self.background_images),
            "nobird_audio": heads.embed_audio(self.background_audio),
            **heads.fusion_weights().to_arrays(),
        }


def _fit_fold(job: TrainingJob, grid: Grid, fold: int, on_epoch: StageEpoch) -> None:
    """Train on the samples outside a fold; at each epoch of the grid, embed all samples."""
    if all(job.embeddings_path(fold, epoch).exists() for epoch in grid.epochs):
        return
    stage = f"fold {fold + 1}/{grid.folds}"
    setup = replace(job.setup, seed=job.setup.seed + 1 + fold)
    inputs = _fold_inputs(
        job, fold, lambda epochs, metrics: on_epoch(f"{stage} base", epochs, metrics)
    )

    def epoch_done(heads: Heads, metrics: EpochMetrics) -> None:
        on_epoch(stage, max(grid.epochs), metrics)
        path = job.embeddings_path(fold, metrics.epoch)
        if metrics.epoch in grid.epochs and not path.exists():
            atomic.write_file(path, dump_arrays(inputs.embed(heads)))

    fitter = Fitter(inputs.split, setup, job.checkpoints / f"fold{fold}.npz")
    if fitter.history:  # a kill may have come between the checkpoint and the callback
        epoch_done(fitter.heads, fitter.history[-1])
    fitter.run(max(grid.epochs), epoch_done)


def _fold_inputs(job: TrainingJob, fold: int, on_epoch: TuneEpoch) -> _FoldInputs:
    """Fine-tune the base without a fold, and pool the photographs with it."""
    samples, split = job.samples, job.samples.split(fold)
    tail = tuned_tail(
        job.backbone,
        split,
        job.setup.seed + 1 + fold,
        job.checkpoints / f"fold{fold}-tail.npz",
        on_epoch,
    )
    return _FoldInputs(
        replace(split, images=pool_images(tail, split.images, POOLED_VIEWS)),
        pool_images(tail, samples.tested_features(Sense.IMAGE, fold)),
        samples.tested_features(Sense.AUDIO, fold),
        pool_images(tail, samples.background.images),
        samples.background.audio,
    )


def _score_fold(
    job: TrainingJob, grid: Grid, fold: int, wanted: Collection[Option] | None = None
) -> Iterator[tuple[Option, EvaluationScores]]:
    """Score a fold with each option, or with the wanted ones."""
    for epoch in grid.epochs:
        gains = [gain for gain in grid.gains if wanted is None or (epoch, gain) in wanted]
        if gains:
            with np.load(job.embeddings_path(fold, epoch), allow_pickle=False) as saved:
                arrays = dict(saved)
            for gain in gains:
                yield (epoch, gain), _score_option(job, fold, arrays, gain)


def _score_option(
    job: TrainingJob, fold: int, arrays: Mapping[str, NDArray[np.float32]], gain: float
) -> EvaluationScores:
    """Score the embeddings of a fold with one gain; the prototypes are of the other folds."""
    samples, split, seed = job.samples, job.samples.split(fold), job.setup.seed
    fuse = FusionWeights.from_arrays(arrays).with_gain(gain).fuse
    gallery = build_gallery(
        fuse,
        samples.species,
        LabelledVectors(arrays["train_images"], split.image_labels),
        LabelledVectors(arrays["train_audio"], split.audio_labels),
    )
    gallery = with_background(gallery, fuse, arrays["nobird_images"], arrays["nobird_audio"], seed)
    images, audio = (
        LabelledEmbeddings(vectors, samples.labels[sense][rows], samples.recordings[sense][rows])
        for vectors, sense, rows in (
            (arrays["test_images"], Sense.IMAGE, samples.tested(Sense.IMAGE, fold)),
            (arrays["test_audio"], Sense.AUDIO, samples.tested(Sense.AUDIO, fold)),
        )
    )
    return score(fuse, gallery, images, audio, seed)


def nested_report(
    scored: Mapping[Option, Sequence[EvaluationScores]], options: Sequence[Option], species: int
) -> tuple[Figures, Predictions]:
    """Score each fold with the option, thresholds and weights that the other folds chose.

    Args:
        scored: By option, the scores of each fold.
        options: The option of each fold.
        species: Number of species.

    Returns:
        The figures, and the predictions for the pairs.
    """
    results: list[EvaluationScores] = []
    late: list[NDArray[np.bool_]] = []
    for fold, option in enumerate(options):
        others = [scored[option][other] for other in range(len(options)) if other != fold]
        calibration = fit_calibration(others)
        result = scored[option][fold].with_calibration(
            calibration, species_thresholds(others, calibration, species)
        )
        results.append(result)
        late.append(late_fusion(result, calibration))
    joined = concatenate_scored(results)
    return (
        summarise(joined, "cross-validation", species, np.concatenate(late)),
        (joined.both.labels, joined.both.similarities.argmax(axis=1)),
    )
