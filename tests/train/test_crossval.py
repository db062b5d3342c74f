from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

import tensorflow as tf
from fabricated import CHANNELS, Counts, make_feature, make_features, setup
from fakes import factory

from birdfield.evaluate.figures import Figures
from birdfield.evaluate.scores import EvaluationScores, SenseScores
from birdfield.model.sense import EACH_SENSE, Sense
from birdfield.model.species import Species
from birdfield.recognise.dataset import Sample
from birdfield.recognise.folds import NEVER_TESTED
from birdfield_train import crossval
from birdfield_train.backbones import get_backbone
from birdfield_train.crossval import TrainingJob, cross_validate, nested_report
from birdfield_train.features import FeatureSet
from birdfield_train.fit import FitConfig
from birdfield_train.samples import FOLDS, IndexedSamples, index_samples
from birdfield_train.selection import (
    Correct,
    Grid,
    Option,
    choose,
    correct_answers,
    nested_options,
)

pytestmark = pytest.mark.train


def species(labels: str) -> list[Species]:
    return [Species(label) for label in labels]


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    """Species a to c have 7 photographs and 6 recordings of 3 clips; d has one of each."""
    folder = tmp_path_factory.mktemp("features")
    many = make_features(folder, "abc", Counts(images=7, recordings=6, clips=3))
    single = Counts(images=1, recordings=1, clips=3)
    lone = make_features(folder / "lone", "d", single)
    return FeatureSet(many.images + lone.images, many.audio + lone.audio, ())


@pytest.fixture(params=range(3))
def indexed(features: FeatureSet, request: pytest.FixtureRequest) -> IndexedSamples:
    return index_samples(features, species("abcd"), seed=request.param)


def test_no_recording_is_split_between_folds(indexed: IndexedSamples) -> None:
    for sense in EACH_SENSE:
        for recording in np.unique(indexed.recordings[sense]):
            assert len(np.unique(indexed.folds[sense][indexed.recordings[sense] == recording])) == 1


def test_clips_share_a_recording_and_no_other_species_or_sense_does(
    indexed: IndexedSamples,
) -> None:
    assert len(np.unique(indexed.recordings[Sense.AUDIO])) == 3 * 6 + 1
    assert len(np.unique(indexed.recordings[Sense.IMAGE])) == 3 * 7 + 1
    assert not np.intersect1d(indexed.recordings[Sense.IMAGE], indexed.recordings[Sense.AUDIO]).size


def test_a_lone_recording_stays_in_training(indexed: IndexedSamples) -> None:
    for sense in EACH_SENSE:
        lone = indexed.labels[sense] == 3
        assert (indexed.folds[sense][lone] == NEVER_TESTED).all()
        assert (indexed.folds[sense][~lone] != NEVER_TESTED).all()


def test_each_other_sample_is_tested_once_and_then_not_trained_on(indexed: IndexedSamples) -> None:
    for sense in EACH_SENSE:
        tested = np.concatenate([indexed.tested(sense, fold) for fold in range(FOLDS)])
        assert sorted(tested) == np.flatnonzero(indexed.labels[sense] != 3).tolist()
    for fold in range(FOLDS):
        split = indexed.split(fold)
        for sense, trained in zip(EACH_SENSE, (split.images, split.audio), strict=True):
            away = {indexed.features[sense][row].cached for row in indexed.tested(sense, fold)}
            assert away and not away & {feature.cached for feature in trained}
            assert len(trained) + len(away) == len(indexed.features[sense])
        assert split.species == 4 and set(split.audio_labels) == {0, 1, 2, 3}


def test_each_species_recordings_are_spread_over_the_folds(indexed: IndexedSamples) -> None:
    """With 6 recordings in 5 folds, no fold has more than 2 of a species."""
    for label in range(3):
        own = indexed.labels[Sense.AUDIO] == label
        for fold in range(FOLDS):
            recordings = indexed.recordings[Sense.AUDIO][own & (indexed.folds[Sense.AUDIO] == fold)]
            assert 1 <= len(np.unique(recordings)) <= 2


def test_everything_is_in_the_final_split(indexed: IndexedSamples, features: FeatureSet) -> None:
    split = indexed.split(None)
    assert len(split.images) == len(features.images) and len(split.audio) == len(features.audio)


def test_the_pictures_and_sounds_of_a_film_are_dealt_to_one_fold(tmp_path: Path) -> None:
    """Files of one film have equal names, RECORDING__N, and so one recording."""
    images, audio = (
        tuple(
            make_feature(
                tmp_path, Sample(Path(f"{index}"), "a", sense, f"film{index}"), np.zeros(4)
            )
            for index in range(8)
        )
        for sense in EACH_SENSE
    )
    indexed = index_samples(FeatureSet(images, audio, ()), species("a"), 0)
    np.testing.assert_array_equal(indexed.folds[Sense.IMAGE], indexed.folds[Sense.AUDIO])
    np.testing.assert_array_equal(indexed.recordings[Sense.IMAGE], indexed.recordings[Sense.AUDIO])


def make_scores(correct_parts: list[bool], samples: int = 4) -> SenseScores:
    """Make samples of species 0, whose parts are answered correctly or not."""
    correct = np.repeat(correct_parts, samples)
    similarities = np.where(correct[:, None], [[0.9, 0.1]], [[0.1, 0.9]]).astype(np.float32)
    count = len(correct)
    rows, unmeasured = np.arange(count), np.full(count, np.nan)
    return SenseScores(
        similarities,
        np.zeros(count, np.int64),
        (rows,),
        unmeasured,
        unmeasured,
        np.ones(count, bool),
        np.ones(count),
        np.full(count, -1, np.float32),
    )


def make_scored(image: bool, audio: bool = True, both: bool = True) -> EvaluationScores:
    by_image, by_audio, joint = (make_scores([correct]) for correct in (image, audio, both))
    return EvaluationScores(
        by_image, by_audio, joint, by_image.similarities, by_audio.similarities, factory()
    )


Scoring = Callable[[int, float, int], EvaluationScores]  # of epochs, a gain and a fold
ScoreTable = dict[Option, list[EvaluationScores]]  # by fold
GRID = Grid(epochs=(1, 2, 4), gains=(0.1, 0.2))


def make_table(scoring: Scoring) -> ScoreTable:
    return {
        (epochs, gain): [scoring(epochs, gain, fold) for fold in range(FOLDS)]
        for epochs in GRID.epochs
        for gain in GRID.gains
    }


def correct_table(scored: ScoreTable) -> dict[Option, list[Correct]]:
    return {option: list(map(correct_answers, folds)) for option, folds in scored.items()}


def choose_in(scored: ScoreTable, folds: Sequence[int]) -> Option:
    return choose(correct_table(scored), GRID, folds)


def report_of(scored: ScoreTable) -> tuple[Figures, tuple[np.ndarray, np.ndarray]]:
    """Report two species."""
    return nested_report(scored, nested_options(correct_table(scored), GRID), 2)


def test_epochs_are_chosen_by_the_towers_and_the_gain_by_pairs() -> None:
    """2 epochs are correct by both towers, 4 by image only; pairs are with 2 and a gain of 0.2."""
    scored = make_table(
        lambda epoch, gain, fold: make_scored(
            epoch in (2, 4), epoch == 2, (epoch, gain) in ((2, 0.2), (4, 0.1))
        )
    )
    assert choose_in(scored, range(FOLDS)) == (2, 0.2)


def test_of_equal_options_the_fewest_epochs_and_the_least_gain_are_chosen() -> None:
    assert choose_in(make_table(lambda *_: make_scored(True)), range(FOLDS)) == (1, 0.1)


def test_only_the_given_folds_are_counted() -> None:
    """Fold 3 alone is correct after 4 epochs, all others after 2."""
    scored = make_table(lambda epoch, gain, fold: make_scored(epoch == (4 if fold == 3 else 2)))
    assert choose_in(scored, [0, 1, 2, 4])[0] == 2
    assert choose_in(scored, [3])[0] == 4


def test_each_fold_is_reported_with_what_the_other_folds_chose() -> None:
    """Fold 0 is correct after 2 epochs only, the others after 1 epoch only.

    For fold 0 the others choose 1 epoch, which is wrong. For each other fold, three of four choose
    1 epoch, which is correct: 4 of 5 in all. If each fold had its own best option, 5 of 5 would be
    reported.
    """
    scored = make_table(lambda epoch, gain, fold: make_scored(epoch == (2 if fold == 0 else 1)))
    figures, (true, predicted) = report_of(scored)
    assert figures.image.top1 == 0.8 and figures.image.n == 20
    assert figures.audio.top1 == figures.both.top1 == 1.0
    assert figures.both.image_top1 == 0.8
    assert figures.late_fusion.n == 20
    assert len(true) == len(predicted) == 20


def test_a_folds_thresholds_are_those_of_the_other_folds() -> None:
    """Correct answers have a similarity of 0.9 in fold 0 and of 0.95 in the others.

    For fold 0 the threshold is 0.95, and no answer is accepted. For each other fold, the 5 %
    quantile is 0.9, because 4 of 16 answers are of fold 0, and all are accepted: 16 of 20.
    """

    def scoring(epochs: int, gain: float, fold: int) -> EvaluationScores:
        scores = make_scores([True])
        if fold:
            scores.similarities[:, 0] = 0.95
        cosines = scores.similarities
        return EvaluationScores(scores, scores, scores, cosines, cosines, factory())

    figures, _ = report_of(make_table(scoring))
    assert figures.image.accepted == figures.both.accepted == 0.8


@pytest.fixture
def _eager() -> Iterator[None]:
    """Trace no graphs."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.usefixtures("_eager")
def test_cross_validation_recognises_separable_species_and_fits_each_fold_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = index_samples(make_features(tmp_path / "features", "abc"), species("abc"), 0, folds=2)
    config = FitConfig(steps=1, species_per_batch=3, samples_per_species=2)
    base = replace(get_backbone("vgg16"), channels=CHANNELS)
    job, grid = TrainingJob(samples, base, setup(config), tmp_path), Grid(folds=2, epochs=(1,))
    calls: list[tuple[str, int, int]] = []
    first = cross_validate(
        job, grid, lambda stage, epochs, metrics: calls.append((stage, epochs, metrics.epoch))
    )
    assert calls == [("fold 1/2", 1, 1), ("fold 2/2", 1, 1)]
    assert first.figures.image.top1 == first.figures.audio.top1 == 1.0
    assert first.figures.image.n == 12 and first.figures.audio.n == 18
    assert first.figures.both.n == 3 * 2 * 6  # 2 photographs and 2 or 4 clips per fold
    assert first.epochs == 1 and first.thresholds.shape == (3, 3)
    monkeypatch.setattr(crossval, "Fitter", None)  # a second fit would fail
    second = cross_validate(job, grid, lambda *_: None)
    assert second.figures == first.figures and second.calibration == first.calibration
