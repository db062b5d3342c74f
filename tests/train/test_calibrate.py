from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

from fakes import factory

from birdfield.evaluate.scores import EvaluationScores, SenseScores
from birdfield.model.calibration import Calibration
from birdfield.recognise.decide import log_softmax
from birdfield_train.calibrate import (
    OWN_WEIGHT,
    TEMPERATURES,
    UNTESTED,
    fit_calibration,
    fit_late_weight,
    fit_temperature,
    negative_log_likelihood,
    species_thresholds,
)

pytestmark = pytest.mark.train


def make_scores(similarities: NDArray[np.floating], labels: NDArray[np.integer]) -> SenseScores:
    rows = np.arange(len(labels))
    nothing = np.full(len(labels), np.nan)
    return SenseScores(
        np.asarray(similarities, np.float32),
        np.asarray(labels, np.int64),
        (rows,),
        nothing,
        nothing,
        np.ones(len(labels), bool),
        np.ones(len(labels)),
        np.full(len(labels), -1, np.float32),
    )


def make_scored(image: SenseScores, audio: SenseScores, both: SenseScores) -> EvaluationScores:
    """Take the pairs' own similarities from samples of the same rows."""
    return EvaluationScores(image, audio, both, image.similarities, audio.similarities, factory())


def drawn(temperature: float, count: int, seed: int) -> SenseScores:
    """Draw true species by the softmax of similarities at a known temperature."""
    rng = np.random.default_rng(seed)
    similarities = rng.uniform(-1, 1, (count, 6)).astype(np.float32)
    chances = np.exp(log_softmax(similarities / temperature)).cumsum(axis=1)
    labels = (chances > rng.random((count, 1))).argmax(axis=1)
    return make_scores(similarities, labels)


def test_the_likelihood_is_that_of_the_true_species() -> None:
    """Similarities 0.2 and 0 at temperature 0.1: p = e^2 / (e^2 + 1) = 0.8808, -ln p = 0.1269."""
    similarities = np.array([[0.2, 0.0]], np.float32)
    assert negative_log_likelihood(similarities, np.array([0]), 0.1) == pytest.approx(
        0.1269, abs=1e-4
    )
    assert negative_log_likelihood(similarities[:0], np.zeros(0, np.int64), 0.1) == 0


@pytest.mark.parametrize("temperature", [0.05, 0.2])
def test_the_temperature_that_made_the_samples_is_found(temperature: float) -> None:
    """Neighbours on the grid are 8 % apart."""
    assert TEMPERATURES[1] / TEMPERATURES[0] == pytest.approx(1.081, abs=1e-3)
    parts = [drawn(temperature, 4000, seed) for seed in range(3)]
    assert fit_temperature(parts) == pytest.approx(temperature, rel=0.09)


def test_without_samples_the_temperature_is_a_tenth() -> None:
    assert fit_temperature([drawn(0.2, 0, 0)]) == 0.1


def test_the_smallest_weight_with_the_most_right_answers_is_chosen() -> None:
    """Two species, temperatures 1. Sight prefers the wrong one by 0.6; sound the right one by 1.

    log-softmax differences are those of the logits, so the sum is right from weight 0.6 on: on the
    grid of 0.05 strictly above it, 0.65 (0.6 itself is a tie).
    """
    image = make_scores(np.array([[0.0, 0.6]]), np.array([0]))
    audio = make_scores(np.array([[1.0, 0.0]]), np.array([0]))
    assert fit_late_weight([make_scored(image, audio, image)], 1.0, 1.0) == pytest.approx(
        0.65, abs=0.051
    )


def test_sound_that_misleads_gets_no_weight() -> None:
    image = make_scores(np.array([[0.6, 0.0], [0.6, 0.5]]), np.array([0, 0]))
    audio = make_scores(np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([0, 0]))
    assert fit_late_weight([make_scored(image, audio, image)], 1.0, 1.0) == 0


def ladder(label: int, low: float, high: float, count: int = 101) -> SenseScores:
    """Make right answers for a species whose similarities go up in even steps."""
    similarities = np.zeros((count, 3))
    similarities[:, label] = np.linspace(low, high, count)
    return make_scores(similarities, np.full(count, label))


def test_a_threshold_lets_95_of_100_right_answers_through() -> None:
    """Of 0.5, 0.504 ... 0.9 the 5 % quantile is 0.5 + 0.05 * 0.4 = 0.52; wrong ones don't count."""
    right = ladder(0, 0.5, 0.9)
    wrong = make_scores(np.tile([[0.1, 0.0, 0.0]], (50, 1)), np.full(50, 1))
    part, mistaken = (make_scored(scores, scores, scores) for scores in (right, wrong))
    assert fit_calibration([part, mistaken]).threshold == pytest.approx((0.52, 0.52, 0.52))


def test_a_species_threshold_is_drawn_to_the_common_one_where_answers_are_few() -> None:
    """Species 0 has 101 answers of quantile 0.52, species 1 has 5 answers all 0.9, 2 has none.

    From the common 0.6: 0.6 + 101/111 (0.52 - 0.6) = 0.5272 and 0.6 + 5/15 (0.9 - 0.6) = 0.7.
    """
    assert OWN_WEIGHT == 10
    parts = [
        make_scored(scores, scores, scores)
        for scores in (ladder(0, 0.5, 0.9), ladder(1, 0.9, 0.9, 5))
    ]
    common = Calibration((0.1, 0.1, 0.1), (0.6, 0.6, 0.6), 0.5)
    thresholds = species_thresholds(parts, common, 3)
    assert thresholds.shape == (3, 3) and thresholds.dtype == np.float32
    np.testing.assert_allclose(thresholds[:, 0], [0.5272, 0.7, 0.6], atol=1e-4)


def test_a_sense_without_a_right_answer_answers_nothing() -> None:
    """By sound nothing passes; with both, what passes by sight does: its quantile."""
    none = make_scores(np.zeros((0, 3)), np.zeros(0, np.int64))
    right = ladder(0, 0.5, 0.9)
    calibration = fit_calibration(
        [EvaluationScores(right, none, none, none.similarities, none.similarities, factory())]
    )
    assert calibration.threshold[1] > 1
    assert calibration.threshold[2] == calibration.threshold[0] < 0.9
    assert calibration.temperature[1:] == (0.1, 0.1)


def test_a_sense_that_could_not_be_tested_goes_by_the_other() -> None:
    """As with one recording a species; by neither, half a cosine has to do."""
    none = make_scores(np.zeros((0, 3)), np.zeros(0, np.int64))
    seen = EvaluationScores(
        ladder(0, 0.5, 0.9), none, none, none.similarities, none.similarities, factory()
    )
    calibration = fit_calibration([seen], ["audio"])
    assert calibration.threshold[0] < 0.9 and calibration.late_weight == UNTESTED
    assert set(calibration.threshold) == {calibration.threshold[0]}
    nothing = replace(seen, image=none)
    assert fit_calibration([nothing], ["image", "audio"]).threshold == (UNTESTED,) * 3
