from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

from fakes import factory

from birdfield.evaluate.scores import EvaluationScores, SenseScores
from birdfield.model.calibration import Calibration
from birdfield.model.sense import EACH_SENSE, Sense
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
    unmeasured = np.full(len(labels), np.nan)
    return SenseScores(
        np.asarray(similarities, np.float32),
        np.asarray(labels, np.int64),
        (rows,),
        unmeasured,
        unmeasured,
        np.ones(len(labels), bool),
        np.ones(len(labels)),
        np.full(len(labels), -1, np.float32),
    )


def make_scored(image: SenseScores, audio: SenseScores, both: SenseScores) -> EvaluationScores:
    """Use the rows of both senses as the pairs."""
    return EvaluationScores(image, audio, both, image.similarities, audio.similarities, factory())


def drawn_scores(temperature: float, count: int, seed: int) -> SenseScores:
    """Draw true species by the softmax of similarities at a known temperature."""
    rng = np.random.default_rng(seed)
    similarities = rng.uniform(-1, 1, (count, 6)).astype(np.float32)
    chances = np.exp(log_softmax(similarities / temperature)).cumsum(axis=1)
    labels = (chances > rng.random((count, 1))).argmax(axis=1)
    return make_scores(similarities, labels)


def test_the_likelihood_is_that_of_the_true_species() -> None:
    """For 0.2 and 0 at a temperature of 0.1, p = e^2 / (e^2 + 1) = 0.8808 and -ln p = 0.1269."""
    similarities = np.array([[0.2, 0.0]], np.float32)
    assert negative_log_likelihood(similarities, np.array([0]), 0.1) == pytest.approx(
        0.1269, abs=1e-4
    )
    assert negative_log_likelihood(similarities[:0], np.zeros(0, np.int64), 0.1) == 0


@pytest.mark.parametrize("temperature", [0.05, 0.2])
def test_the_temperature_of_the_samples_is_found(temperature: float) -> None:
    """Neighbours on the grid are 8 % apart."""
    assert TEMPERATURES[1] / TEMPERATURES[0] == pytest.approx(1.081, abs=1e-3)
    parts = [drawn_scores(temperature, 4000, seed) for seed in range(3)]
    assert fit_temperature(parts) == pytest.approx(temperature, rel=0.09)


def test_without_samples_the_temperature_is_a_tenth() -> None:
    assert fit_temperature([drawn_scores(0.2, 0, 0)]) == 0.1


def test_the_smallest_weight_with_the_most_correct_answers_is_chosen() -> None:
    """The image favours the wrong one of two species by 0.6, and sound the true one by 1.

    At a temperature of 1, log-softmax keeps the differences, so the sum is correct for weights
    above 0.6: on the grid of 0.05, for 0.65 and more (0.6 is a tie).
    """
    image = make_scores(np.array([[0.0, 0.6]]), np.array([0]))
    audio = make_scores(np.array([[1.0, 0.0]]), np.array([0]))
    assert fit_late_weight([make_scored(image, audio, image)], 1.0, 1.0) == pytest.approx(
        0.65, abs=0.051
    )


def test_misleading_sound_has_no_weight() -> None:
    image = make_scores(np.array([[0.6, 0.0], [0.6, 0.5]]), np.array([0, 0]))
    audio = make_scores(np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([0, 0]))
    assert fit_late_weight([make_scored(image, audio, image)], 1.0, 1.0) == 0


def ladder(label: int, low: float, high: float, count: int = 101) -> SenseScores:
    """Make correct answers for a species, with evenly spaced similarities."""
    similarities = np.zeros((count, 3))
    similarities[:, label] = np.linspace(low, high, count)
    return make_scores(similarities, np.full(count, label))


def test_95_of_100_correct_answers_exceed_the_threshold() -> None:
    """The 5 % quantile of 0.5, 0.504 ... 0.9 is 0.5 + 0.05 * 0.4 = 0.52, without wrong answers."""
    right = ladder(0, 0.5, 0.9)
    wrong = make_scores(np.tile([[0.1, 0.0, 0.0]], (50, 1)), np.full(50, 1))
    folds = [make_scored(scores, scores, scores) for scores in (right, wrong)]
    assert fit_calibration(folds).threshold == pytest.approx((0.52, 0.52, 0.52))


def test_with_few_answers_a_threshold_is_close_to_the_common_one() -> None:
    """Species 0 has 101 answers with a quantile of 0.52, species 1 has 5 of 0.9, and 2 has none.

    The common threshold is 0.6, so the thresholds are 0.6 + 101/111 (0.52 - 0.6) = 0.5272,
    0.6 + 5/15 (0.9 - 0.6) = 0.7, and 0.6.
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


def test_a_sense_without_a_correct_answer_accepts_none() -> None:
    """No answer by sound is accepted; the threshold for both is that of the image."""
    none = make_scores(np.zeros((0, 3)), np.zeros(0, np.int64))
    right = ladder(0, 0.5, 0.9)
    calibration = fit_calibration(
        [EvaluationScores(right, none, none, none.similarities, none.similarities, factory())]
    )
    assert calibration.threshold[1] > 1
    assert calibration.threshold[2] == calibration.threshold[0] < 0.9
    assert calibration.temperature[1:] == (0.1, 0.1)


def test_a_sense_that_no_fold_tests_has_the_threshold_of_the_other() -> None:
    """This happens with one recording per species; if no sense is tested, UNTESTED is used."""
    none = make_scores(np.zeros((0, 3)), np.zeros(0, np.int64))
    image_only = EvaluationScores(
        ladder(0, 0.5, 0.9), none, none, none.similarities, none.similarities, factory()
    )
    calibration = fit_calibration([image_only], [Sense.AUDIO])
    assert calibration.threshold[0] < 0.9 and calibration.late_weight == UNTESTED
    assert set(calibration.threshold) == {calibration.threshold[0]}
    untested = replace(image_only, image=none)
    assert fit_calibration([untested], EACH_SENSE).threshold == (UNTESTED,) * 3
