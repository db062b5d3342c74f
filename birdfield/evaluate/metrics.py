"""What evaluation counts: retrieval, intervals, what is told from the unknown, calibration."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
BINS = 10  # of equal mass, for reliability
QUERIES = 1024  # compared with all others at a time: memory grows with their number, not its square


def retrieval(
    vectors: NDArray[np.float32], labels: NDArray[np.int64], *units: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score each vector as a query among the others ("A Metric Learning Reality Check", 3.2).

    What shares a photograph or a recording with the query is left out. A query whose species
    has nothing else here has NaN in both results.

    Args:
        vectors: float32 [N, D], unit.
        labels: int64 [N], species.
        units: int64 [N] each: the photograph, the recording, or both, of every sample.

    Returns:
        Recall@1, 0 or 1, and average precision at R, 0..1: float64 [N] each.
    """
    count = len(vectors)
    recall, precision = np.full(count, np.nan), np.full(count, np.nan)
    for start in range(0, count, QUERIES):
        some = slice(start, start + QUERIES)
        cosine = vectors[some] @ vectors.T
        for unit in units:
            cosine[unit[some, None] == unit[None, :]] = -np.inf
        order = np.argsort(-cosine, axis=1, kind="stable")
        for row, (near, nearest_first) in enumerate(zip(cosine, order, strict=True), start):
            candidates = nearest_first[np.isfinite(near[nearest_first])]
            hits = labels[candidates] == labels[row]
            relevant = int(hits.sum())
            if relevant:
                nearest = hits[:relevant]
                ranks = np.arange(1, relevant + 1)
                recall[row] = float(hits[0])
                precision[row] = float((np.cumsum(nearest) / ranks * nearest).sum() / relevant)
    return recall, precision


def bootstrap_ci95(
    correct: NDArray[np.bool_], *units: NDArray[np.int64], seed: int = 0
) -> tuple[float, float]:
    """Find the 95 % interval of a mean, resampling the photographs and recordings behind it.

    A pair of a photograph and a recording counts as often as both were drawn, so pairs that
    share one are not taken for independent.

    Args:
        correct: bool [N].
        units: int64 [N] each: the photograph, the recording, or both, of every sample.
        seed: Of the resampling.

    Returns:
        The lower and the upper bound, 0..1; both NaN when there is no sample.
    """
    if not len(correct):
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    weights = np.ones((RESAMPLES, len(correct)))
    for unit in units:
        _, index = np.unique(unit, return_inverse=True)
        count = int(index.max()) + 1
        weights *= rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)[:, index]
    totals = weights.sum(axis=1)
    means = (weights @ correct.astype(float))[totals > 0] / totals[totals > 0]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def auroc(known: NDArray[np.floating], unknown: NDArray[np.floating]) -> float:
    """Find how often a known sample scores above an unknown one, a tie counting half.

    It is the area under the ROC curve, by ranks (Hanley and McNeil, Radiology 143, 1982).

    Args:
        known: Scores [N] of samples that should be accepted.
        unknown: Scores [M] of samples that should not.

    Returns:
        0..1; NaN when one of them is empty.
    """
    if not len(known) or not len(unknown):
        return float("nan")
    _, index, counts = np.unique(
        np.concatenate([known, unknown]), return_inverse=True, return_counts=True
    )
    ranks = np.cumsum(counts) - (counts - 1) / 2  # from 1; of equal scores, their mean
    rank_sum = float(ranks[index[: len(known)]].sum())
    return (rank_sum - len(known) * (len(known) + 1) / 2) / (len(known) * len(unknown))


def fpr_at_95_tpr(known: NDArray[np.floating], unknown: NDArray[np.floating]) -> float:
    """Find the share of unknown samples that pass the threshold which 95 % of known ones pass.

    The threshold is the highest that does (Hendrycks and Gimpel, ICLR 2017; Liang et al., ICLR
    2018, 4.3).

    Args:
        known: Scores [N].
        unknown: Scores [M].

    Returns:
        0..1; NaN when one of them is empty.
    """
    if not len(known) or not len(unknown):
        return float("nan")
    passing = -(-95 * len(known) // 100)
    return float(np.mean(unknown >= np.sort(known)[len(known) - passing]))


def oscr(
    known: NDArray[np.floating], correct: NDArray[np.bool_], unknown: NDArray[np.floating]
) -> float:
    """Find the area under the correct classification rate over the false positive rate.

    Over all thresholds, the share of known samples that pass and are named right, against the
    share of unknown ones that pass (Dhamija et al., NeurIPS 2018, 3.3): the share of right answers
    times the AUROC of the right ones.

    Args:
        known: Scores [N].
        correct: bool [N], whether each is named right.
        unknown: Scores [M].

    Returns:
        0..1; NaN when `known` or `unknown` is empty.
    """
    if not len(known) or not len(unknown):
        return float("nan")
    return float(correct.mean()) * auroc(known[correct], unknown) if correct.any() else 0.0


def reliability(
    scores: NDArray[np.floating], correct: NDArray[np.bool_]
) -> list[tuple[float, float, int]]:
    """Compare what answers claim with how often they are right, in BINS bins of equal mass.

    Args:
        scores: [N], 0..1, the probability that each answer gives itself.
        correct: bool [N].

    Returns:
        Mean score, share of right answers and number of samples of each bin, by rising score;
        fewer than BINS when there are fewer samples.
    """
    order = np.argsort(scores, kind="stable")
    return [
        (float(scores[rows].mean()), float(correct[rows].mean()), len(rows))
        for rows in np.array_split(order, BINS)
        if len(rows)
    ]


def ece(bins: Sequence[tuple[float, float, int]]) -> float:
    """Find the expected calibration error, the mean distance of score and accuracy over samples.

    Guo et al., ICML 2017, 2; with bins of equal mass as in Nixon et al., 2019 (arXiv 1904.01685).

    Args:
        bins: From `reliability`.

    Returns:
        0..1; NaN when there is no sample.
    """
    total = sum(count for _, _, count in bins)
    gaps = sum(count * abs(score - accuracy) for score, accuracy, count in bins)
    return gaps / total if total else float("nan")


def mean(values: NDArray[Any]) -> float | None:
    """Return the mean, rounded; None when there is no value."""
    return rounded(float(np.mean(values))) if len(values) else None


def rounded(value: float) -> float | None:
    """Round a figure to four decimals; what is no number, as JSON has none, becomes None."""
    return round(value, 4) if np.isfinite(value) else None
