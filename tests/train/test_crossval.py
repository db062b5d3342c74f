from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

import tensorflow as tf
from fabricated import CHANNELS, make_feature, make_features
from fakes import factory

from birdfield.evaluate.figures import Figures
from birdfield.evaluate.scores import EvaluationScores, SenseScores
from birdfield.model.audio_specs import YAMNET
from birdfield.model.sense import EACH_SENSE, Sense
from birdfield.model.species import Species
from birdfield.recognise.folds import NEVER_TESTED
from birdfield_train import crossval
from birdfield_train.backbones import get_backbone
from birdfield_train.crossval import FOLDS, Indexed, cross_validate, index_samples
from birdfield_train.features import FeatureSet
from birdfield_train.fit import FitConfig

pytestmark = pytest.mark.train


def species(labels: str) -> list[Species]:
    return [Species(label) for label in labels]


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    """Species a to c have 7 photographs and 6 recordings of 3 clips, d has one of each."""
    folder = tmp_path_factory.mktemp("features")
    many = make_features(folder, "abc", images=7, recordings=6, clips=3)
    lone = make_features(folder / "lone", "d", images=1, recordings=1, clips=3)
    return FeatureSet(many.images + lone.images, many.audio + lone.audio, ())


@pytest.fixture(params=range(3))
def indexed(features: FeatureSet, request: pytest.FixtureRequest) -> Indexed:
    return index_samples(features, species("abcd"), seed=request.param)


def test_no_recording_is_split_between_folds(indexed: Indexed) -> None:
    for sense in EACH_SENSE:
        for recording in np.unique(indexed.recordings[sense]):
            assert len(np.unique(indexed.folds[sense][indexed.recordings[sense] == recording])) == 1


def test_clips_share_a_recording_and_no_other_species_or_sense_does(indexed: Indexed) -> None:
    assert len(np.unique(indexed.recordings[Sense.AUDIO])) == 3 * 6 + 1
    assert len(np.unique(indexed.recordings[Sense.IMAGE])) == 3 * 7 + 1
    assert not np.intersect1d(indexed.recordings[Sense.IMAGE], indexed.recordings[Sense.AUDIO]).size


def test_a_lone_recording_stays_in_training(indexed: Indexed) -> None:
    for sense in EACH_SENSE:
        lone = indexed.labels[sense] == 3
        assert (indexed.folds[sense][lone] == NEVER_TESTED).all()
        assert (indexed.folds[sense][~lone] != NEVER_TESTED).all()


def test_each_other_sample_is_tested_once_and_then_not_trained_on(indexed: Indexed) -> None:
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


def test_each_species_recordings_are_spread_over_the_folds(indexed: Indexed) -> None:
    """6 recordings over 5 folds: no fold has more than 2 of a species."""
    for label in range(3):
        own = indexed.labels[Sense.AUDIO] == label
        for fold in range(FOLDS):
            recordings = indexed.recordings[Sense.AUDIO][own & (indexed.folds[Sense.AUDIO] == fold)]
            assert 1 <= len(np.unique(recordings)) <= 2


def test_everything_is_in_the_final_split(indexed: Indexed, features: FeatureSet) -> None:
    split = indexed.split(None)
    assert len(split.images) == len(features.images) and len(split.audio) == len(features.audio)


def test_a_recording_seen_and_heard_is_dealt_as_one(tmp_path: Path) -> None:
    """Stills and sounds of one film are named alike, as <recording>__<n>."""
    seen, heard = (
        tuple(
            make_feature(tmp_path, f"{index}", "a", sense, f"film{index}", np.zeros(4))
            for index in range(8)
        )
        for sense in EACH_SENSE
    )
    indexed = index_samples(FeatureSet(seen, heard, ()), species("a"), 0)
    np.testing.assert_array_equal(indexed.folds[Sense.IMAGE], indexed.folds[Sense.AUDIO])
    np.testing.assert_array_equal(indexed.recordings[Sense.IMAGE], indexed.recordings[Sense.AUDIO])


def make_scores(right: list[bool], samples: int = 4) -> SenseScores:
    """Make samples of species 0, each share right or wrong as told."""
    correct = np.repeat(right, samples)
    similarities = np.where(correct[:, None], [[0.9, 0.1]], [[0.1, 0.9]]).astype(np.float32)
    count = len(correct)
    rows, nothing = np.arange(count), np.full(count, np.nan)
    return SenseScores(
        similarities,
        np.zeros(count, np.int64),
        (rows,),
        nothing,
        nothing,
        np.ones(count, bool),
        np.ones(count),
        np.full(count, -1, np.float32),
    )


def make_scored(image: bool, audio: bool = True, both: bool = True) -> EvaluationScores:
    seen, heard, joint = make_scores([image]), make_scores([audio]), make_scores([both])
    return EvaluationScores(seen, heard, joint, seen.similarities, heard.similarities, factory())


Made = Callable[[int, float, int], EvaluationScores]  # of an epoch, a gain and a fold


def table(made: Made) -> dict[tuple[int, float], list[EvaluationScores]]:
    return {
        (epoch, gain): [made(epoch, gain, fold) for fold in range(FOLDS)]
        for epoch in crossval.EPOCH_GRID
        for gain in crossval.GAIN_GRID
    }


def choose(
    scored: dict[tuple[int, float], list[EvaluationScores]], folds: Sequence[int]
) -> tuple[int, float]:
    return crossval._choose(right_table(scored), folds)


def right_table(
    scored: dict[tuple[int, float], list[EvaluationScores]],
) -> dict[tuple[int, float], list[crossval.Right]]:
    return {option: list(map(crossval.right_answers, parts)) for option, parts in scored.items()}


def nested_report(
    scored: dict[tuple[int, float], list[EvaluationScores]],
) -> tuple[Figures, tuple[np.ndarray, np.ndarray]]:
    """Report two species."""
    options = crossval._nested_options(right_table(scored))
    return crossval._nested_report(scored, options, 2)


@pytest.fixture
def _grids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crossval, "EPOCH_GRID", (1, 2, 4))
    monkeypatch.setattr(crossval, "GAIN_GRID", (0.1, 0.2))


@pytest.mark.usefixtures("_grids")
def test_epochs_are_chosen_by_the_towers_and_the_gain_by_pairs() -> None:
    """Epoch 2 is right by both towers, 4 by sight only; pairs are right at gain 0.2 of epoch 2."""
    scored = table(
        lambda epoch, gain, fold: make_scored(
            epoch in (2, 4), epoch == 2, (epoch, gain) in ((2, 0.2), (4, 0.1))
        )
    )
    assert choose(scored, range(FOLDS)) == (2, 0.2)


@pytest.mark.usefixtures("_grids")
def test_equal_options_give_the_fewest_epochs_and_the_least_gain() -> None:
    assert choose(table(lambda *_: make_scored(True)), range(FOLDS)) == (1, 0.1)


@pytest.mark.usefixtures("_grids")
def test_only_the_given_folds_have_a_say() -> None:
    """Fold 3 alone is right after epoch 4, all others after epoch 2."""
    scored = table(lambda epoch, gain, fold: make_scored(epoch == (4 if fold == 3 else 2)))
    assert choose(scored, [0, 1, 2, 4])[0] == 2
    assert choose(scored, [3])[0] == 4


@pytest.mark.usefixtures("_grids")
def test_each_fold_is_reported_with_what_the_other_folds_chose() -> None:
    """Fold 0 is right after epoch 2 only, the others after epoch 1 only.

    The others choose epoch 1 for fold 0, which is then wrong; for each other fold three of four
    say epoch 1, which is right: 4 of 5. A choice by all folds that counted fold 0's own best
    would report 5 of 5.
    """
    scored = table(lambda epoch, gain, fold: make_scored(epoch == (2 if fold == 0 else 1)))
    figures, (true, given) = nested_report(scored)
    assert figures.image.top1 == 0.8 and figures.image.n == 20
    assert figures.audio.top1 == figures.both.top1 == 1.0
    assert figures.both.image_top1 == 0.8
    assert figures.late_fusion.n == 20
    assert len(true) == len(given) == 20


@pytest.mark.usefixtures("_grids")
def test_a_folds_thresholds_are_those_of_the_other_folds() -> None:
    """Fold 0's right answers have similarity 0.9 and the others' 0.95: none of fold 0 is accepted.

    For the others the 5 % quantile takes in fold 0's 0.9 (4 of 16 answers), so all are accepted:
    16 of 20.
    """

    def right(epoch: int, gain: float, fold: int) -> EvaluationScores:
        seen = make_scores([True])
        if fold:
            seen.similarities[:, 0] = 0.95
        return EvaluationScores(seen, seen, seen, seen.similarities, seen.similarities, factory())

    figures, _ = nested_report(table(right))
    assert figures.image.accepted == figures.both.accepted == 0.8


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two folds, one epoch, and no graphs to be traced."""
    monkeypatch.setattr(crossval, "FOLDS", 2)
    monkeypatch.setattr(crossval, "EPOCH_GRID", (1,))
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.usefixtures("_quick")
def test_cross_validation_recognises_separable_species_and_computes_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = index_samples(make_features(tmp_path / "features", "abc"), species("abc"), 0)
    config = FitConfig(steps=1, species_per_batch=3, samples_per_species=2)
    base = replace(get_backbone("vgg16"), channels=CHANNELS)
    told: list[tuple[str, int, int]] = []
    first = cross_validate(
        samples,
        base,
        YAMNET,
        config,
        0,
        tmp_path,
        lambda stage, epoch, epochs, row: told.append((stage, epoch, epochs)),
    )
    assert told == [("fold 1/2", 1, 1), ("fold 2/2", 1, 1)]
    assert first.report.image.top1 == first.report.audio.top1 == 1.0
    assert first.report.image.n == 12 and first.report.audio.n == 18
    assert first.report.both.n == 3 * 2 * 6  # 2 photographs and 2 or 4 clips in a fold
    assert first.epochs == 1 and first.thresholds.shape == (3, 3)
    monkeypatch.setattr(crossval, "Fitter", None)  # a fit would fail
    second = cross_validate(samples, base, YAMNET, config, 0, tmp_path, lambda *_: None)
    assert second.report == first.report and second.calibration == first.calibration
