"""What is fitted on out-of-fold scores: temperatures, thresholds, the weight of late fusion."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from birdfield.evaluate.scores import EvaluationScores, SenseScores
from birdfield.model.calibration import Calibration
from birdfield.model.sense import SENSES, Sense
from birdfield.recognise.decide import log_softmax

TEMPERATURES = np.geomspace(0.01, 1.0, 60)
LATE_WEIGHTS = np.round(np.arange(0.0, 2.01, 0.05), 2)
ACCEPTED = 0.95  # of the right answers that a threshold lets through
UNREACHABLE = 1.01  # a cosine that no answer reaches
UNTESTED = 0.5  # the threshold where nothing could be tested, and the weight of late fusion
OWN_WEIGHT = 10  # right answers at which a species' own threshold counts half


def negative_log_likelihood(
    similarities: NDArray[np.float32], labels: NDArray[np.int64], temperature: float
) -> float:
    """Return the mean of -log p(true species), softmax over similarities / temperature."""
    if not len(labels):
        return 0.0
    return -float(log_softmax(similarities / temperature)[np.arange(len(labels)), labels].mean())


def fit_temperature(parts: Sequence[SenseScores]) -> float:
    """Find the temperature of the least negative log-likelihood (Guo et al., 2017, 4.2)."""
    if not sum(len(part.labels) for part in parts):
        return 0.1
    losses = [
        sum(
            negative_log_likelihood(part.similarities, part.labels, value) * len(part.labels)
            for part in parts
        )
        for value in TEMPERATURES
    ]
    return float(TEMPERATURES[int(np.argmin(losses))])


def fit_late_weight(parts: Sequence[EvaluationScores], image_t: float, audio_t: float) -> float:
    """Find what hearing counts in late fusion: the most right answers, the smallest weight."""
    counts = []
    for weight in LATE_WEIGHTS:
        right = 0
        for part in parts:
            sums = log_softmax(part.pairs_by_image / image_t) + weight * log_softmax(
                part.pairs_by_audio / audio_t
            )
            right += int((sums.argmax(axis=1) == part.both.labels).sum())
        counts.append(right)
    if not any(len(part.both.labels) for part in parts):
        return UNTESTED
    return float(LATE_WEIGHTS[int(np.argmax(counts))])


def fit_calibration(
    parts: Sequence[EvaluationScores], untested: Collection[str] = ()
) -> Calibration:
    """Fit everything that is one number for all species.

    Args:
        parts: Out-of-fold scores.
        untested: What was learnt and no fold could test, "image" or "audio", as with one recording
            a species: what is known by the other sense is known by this one.
    """
    image_t, audio_t, both_t = (
        fit_temperature([part.by_sense(sense) for part in parts]) for sense in SENSES
    )
    image, audio, both = (_right_answers(parts, sense)[0] for sense in SENSES)
    cosines = {Sense.IMAGE: _threshold(image), Sense.AUDIO: _threshold(audio)}
    for sense, other in ((Sense.IMAGE, Sense.AUDIO), (Sense.AUDIO, Sense.IMAGE)):
        if sense in untested:
            cosines[sense] = cosines[other] if cosines[other] < UNREACHABLE else UNTESTED
    seen, heard = cosines[Sense.IMAGE], cosines[Sense.AUDIO]
    # Without a pair, what was learnt of one sense holds for both.
    joint = _threshold(both) if len(both) else min(seen, heard)
    return Calibration(
        (image_t, audio_t, both_t), (seen, heard, joint), fit_late_weight(parts, image_t, audio_t)
    )


def species_thresholds(
    parts: Sequence[EvaluationScores], calibration: Calibration, species: int
) -> NDArray[np.float32]:
    """Fit a threshold for each species and sense, drawn to the common one where answers are few.

    Returns:
        float32 [species, 3].
    """
    thresholds = np.tile(np.array(calibration.threshold, np.float32), (species, 1))
    for column, sense in enumerate(SENSES):
        similarities, labels = _right_answers(parts, sense)
        for row in np.unique(labels):
            own = similarities[labels == row]
            share = len(own) / (len(own) + OWN_WEIGHT)
            thresholds[row, column] += share * (_threshold(own) - thresholds[row, column])
    return thresholds


def _right_answers(
    parts: Sequence[EvaluationScores], sense: Sense
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Collect the similarity and the species of each right answer of a sense."""
    scores: list[SenseScores] = [part.by_sense(sense) for part in parts]
    return (
        np.concatenate(
            [part.similarities.max(axis=1, initial=-1.0)[part.correct] for part in scores]
        ),
        np.concatenate([part.labels[part.correct] for part in scores]),
    )


def _threshold(similarities: NDArray[np.float32]) -> float:
    """Find what lets ACCEPTED of the right answers through; without any, nothing passes."""
    return float(np.quantile(similarities, 1 - ACCEPTED)) if len(similarities) else UNREACHABLE
