"""Calibration: temperatures, thresholds and the weight of late fusion, from held-out scores."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from birdfield.evaluate.scores import EvaluationScores, SenseScores
from birdfield.model.calibration import Calibration
from birdfield.model.sense import SENSES, Sense
from birdfield.recognise.decide import log_softmax

TEMPERATURES = np.geomspace(0.01, 1.0, 60)
DEFAULT_TEMPERATURE = 0.1  # without scores
LATE_WEIGHTS = np.round(np.arange(0.0, 2.01, 0.05), 2)
ACCEPTED_SHARE = 0.95  # of the correct answers, above the threshold
UNREACHABLE = 1.01  # a cosine that no answer has
UNTESTED = 0.5  # the threshold, and the weight of late fusion, when no fold tests them
OWN_WEIGHT = 10  # correct answers at which a species' own threshold has half the weight


def negative_log_likelihood(
    similarities: NDArray[np.float32], labels: NDArray[np.int64], temperature: float
) -> float:
    """Return the mean of -log p(true species), by a softmax of similarities / temperature.

    Args:
        similarities: float32 [N, S].
        labels: int64 [N], the true species.
        temperature: Above 0.
    """
    if not len(labels):
        return 0.0
    return -float(log_softmax(similarities / temperature)[np.arange(len(labels)), labels].mean())


def fit_temperature(folds: Sequence[SenseScores]) -> float:
    """Find the temperature of the least negative log-likelihood (Guo et al., 2017, 4.2)."""
    if not sum(len(fold.labels) for fold in folds):
        return DEFAULT_TEMPERATURE
    losses = [
        sum(
            negative_log_likelihood(fold.similarities, fold.labels, value) * len(fold.labels)
            for fold in folds
        )
        for value in TEMPERATURES
    ]
    return float(TEMPERATURES[int(np.argmin(losses))])


def fit_late_weight(folds: Sequence[EvaluationScores], image_t: float, audio_t: float) -> float:
    """Find the smallest weight of sound in late fusion with the most correct answers.

    Args:
        folds: Held-out scores.
        image_t: Temperature of image.
        audio_t: Temperature of audio.
    """
    if not any(len(fold.both.labels) for fold in folds):
        return UNTESTED
    counts = []
    for weight in LATE_WEIGHTS:
        correct = 0
        for fold in folds:
            sums = log_softmax(fold.pairs_by_image / image_t) + weight * log_softmax(
                fold.pairs_by_audio / audio_t
            )
            correct += int((sums.argmax(axis=1) == fold.both.labels).sum())
        counts.append(correct)
    return float(LATE_WEIGHTS[int(np.argmax(counts))])


def fit_calibration(
    folds: Sequence[EvaluationScores], untested: Collection[Sense] = ()
) -> Calibration:
    """Fit the temperatures, the common thresholds and the weight of late fusion.

    Args:
        folds: Held-out scores.
        untested: Senses that were trained but are in no fold, such as audio with one recording
            per species; the other sense sets their threshold.
    """
    image_t, audio_t, both_t = (
        fit_temperature([fold.by_sense(sense) for fold in folds]) for sense in SENSES
    )
    image, audio, both = (_correct_answers(folds, sense)[0] for sense in SENSES)
    cosines = {Sense.IMAGE: _threshold(image), Sense.AUDIO: _threshold(audio)}
    for sense, other in ((Sense.IMAGE, Sense.AUDIO), (Sense.AUDIO, Sense.IMAGE)):
        if sense in untested:
            cosines[sense] = cosines[other] if cosines[other] < UNREACHABLE else UNTESTED
    # Without a pair, the thresholds of the senses hold for both together.
    joint = _threshold(both) if len(both) else min(cosines.values())
    return Calibration(
        (image_t, audio_t, both_t),
        (cosines[Sense.IMAGE], cosines[Sense.AUDIO], joint),
        fit_late_weight(folds, image_t, audio_t),
    )


def species_thresholds(
    folds: Sequence[EvaluationScores], calibration: Calibration, species: int
) -> NDArray[np.float32]:
    """Fit a threshold for each species and sense, closer to the common one with fewer answers.

    Args:
        folds: Held-out scores.
        calibration: Supplies the common thresholds.
        species: Number of species.

    Returns:
        float32 [species, 3], by SENSES.
    """
    thresholds = np.tile(np.array(calibration.threshold, np.float32), (species, 1))
    for column, sense in enumerate(SENSES):
        similarities, labels = _correct_answers(folds, sense)
        for row in np.unique(labels):
            own = similarities[labels == row]
            share = len(own) / (len(own) + OWN_WEIGHT)
            thresholds[row, column] += share * (_threshold(own) - thresholds[row, column])
    return thresholds


def _correct_answers(
    folds: Sequence[EvaluationScores], sense: Sense
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the similarity and the species of each correct answer by a sense."""
    scores: list[SenseScores] = [fold.by_sense(sense) for fold in folds]
    return (
        np.concatenate(
            [fold.similarities.max(axis=1, initial=-1.0)[fold.correct] for fold in scores]
        ),
        np.concatenate([fold.labels[fold.correct] for fold in scores]),
    )


def _threshold(similarities: NDArray[np.float32]) -> float:
    """Find the threshold that ACCEPTED_SHARE of correct answers exceed; UNREACHABLE for none."""
    if not len(similarities):
        return UNREACHABLE
    return float(np.quantile(similarities, 1 - ACCEPTED_SHARE))
