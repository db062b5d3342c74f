"""Summary: computes the figures of an evaluation from its scores."""

import numpy as np
from numpy.typing import NDArray

from birdfield.evaluate.figures import Figures, LateFusionFigures, PairFigures, SenseFigures
from birdfield.evaluate.metrics import (
    ReliabilityBin,
    bootstrap_ci95,
    ece,
    mean,
    reliability,
    rounded,
)
from birdfield.evaluate.scores import EvaluationScores, SenseScores


def summarise(
    scores: EvaluationScores, model_id: str, gallery_size: int, late: NDArray[np.bool_]
) -> Figures:
    """Compute the figures of each sense.

    Args:
        scores: The scores.
        model_id: The model's id.
        gallery_size: Species that the model can answer.
        late: bool [P], from `late_fusion`, of the pairs of `scores.both`.
    """
    tested = np.union1d(scores.image.labels, scores.audio.labels)
    return Figures(
        model_id,
        gallery_size,
        len(tested),
        _sense_figures(scores.image),
        _sense_figures(scores.audio),
        _pair_figures(scores),
        LateFusionFigures(mean(late), len(late)),
    )


def _sense_figures(scores: SenseScores) -> SenseFigures:
    bins = reliability(scores.probabilities, scores.correct)
    low, high = bootstrap_ci95(scores.correct, *scores.units)
    return SenseFigures(
        mean(scores.correct),
        (rounded(low), rounded(high)),
        len(scores.labels),
        mean(scores.recall[np.isfinite(scores.recall)]),
        mean(scores.precision[np.isfinite(scores.precision)]),
        mean(scores.accepted),
        rounded(ece(bins)),
        tuple(
            ReliabilityBin(round(each.score, 4), round(each.accuracy, 4), each.n) for each in bins
        ),
    )


def _pair_figures(scores: EvaluationScores) -> PairFigures:
    whole = vars(_sense_figures(scores.both))
    by_image, by_audio = (
        mean(similarities.argmax(axis=1) == scores.both.labels)
        for similarities in (scores.pairs_by_image, scores.pairs_by_audio)
    )
    return PairFigures(**whole, image_top1=by_image, audio_top1=by_audio)
