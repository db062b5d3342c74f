"""Metrics: retrieval, confidence intervals, rejection of the unknown, and calibration."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
Z_95 = 1.959964  # standard deviations that hold 95 % of a normal distribution
BINS = 10  # reliability bins, each with an equal number of answers
QUERY_BATCH = 1024  # queries compared at once: memory grows with N, not with its square


class ReliabilityBin(NamedTuple):
    """The mean score of n answers, and the share of them that is right; both 0..1."""

    score: float
    accuracy: float
    n: int


def retrieval(
    vectors: NDArray[np.float32], labels: NDArray[np.int64], *units: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score each vector as a query among the others ("A Metric Learning Reality Check", 3.2).

    Samples that share a photograph or a recording with the query are excluded. Both results are
    NaN for a query that has no other sample of its species.

    Args:
        vectors: float32 [N, D], unit.
        labels: int64 [N], species.
        units: int64 [N] each: the photograph, the recording, or both, behind each sample.

    Returns:
        Recall@1, 0 or 1, and average precision at R, 0..1: float64 [N] each.
    """
    count = len(vectors)
    recall, precision = np.full(count, np.nan), np.full(count, np.nan)
    for start in range(0, count, QUERY_BATCH):
        some = slice(start, start + QUERY_BATCH)
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
    """Return the 95 % interval of a mean by resampling photographs and recordings.

    The weight of a pair is the product of how often its photograph and its recording are drawn,
    so pairs that share one do not count as independent.

    Where all answers are right, or all are wrong, resampling knows nothing of the other kind, and
    the interval is Wilson's for the number of photographs or of recordings, whichever is smaller.

    Args:
        correct: bool [N].
        units: int64 [N] each: the photograph, the recording, or both, behind each sample.
        seed: The seed of the resampling.

    Returns:
        The lower and the upper bound, 0..1; both NaN without a sample.
    """
    if not len(correct):
        return float("nan"), float("nan")
    if correct.all() or not correct.any():  # every resample has the same mean
        count = min((len(np.unique(unit)) for unit in units), default=len(correct))
        return wilson_ci95(float(correct[0]), count)
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


def wilson_ci95(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of independent samples (Wilson, JASA 22, 1927).

    Args:
        share: The share, 0..1.
        count: The number of samples, at least 1.
    """
    spread = Z_95**2 / count
    middle = (share + spread / 2) / (1 + spread)
    half = Z_95 * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def auroc(known: NDArray[np.floating], unknown: NDArray[np.floating]) -> float:
    """Return the probability that a known sample scores above an unknown one; a tie counts half.

    This is the area under the ROC curve, computed by ranks (Hanley and McNeil, Radiology 143,
    1982).

    Args:
        known: Scores [N] of samples that the model should accept.
        unknown: Scores [M] of samples that it should reject.

    Returns:
        0..1; NaN when either is empty.
    """
    if not len(known) or not len(unknown):
        return float("nan")
    _, index, counts = np.unique(
        np.concatenate([known, unknown]), return_inverse=True, return_counts=True
    )
    ranks = np.cumsum(counts) - (counts - 1) / 2  # ranks from 1; equal scores share their mean rank
    rank_sum = float(ranks[index[: len(known)]].sum())
    return (rank_sum - len(known) * (len(known) + 1) / 2) / (len(known) * len(unknown))


def fpr_at_95_tpr(known: NDArray[np.floating], unknown: NDArray[np.floating]) -> float:
    """Return the share of unknown samples that pass where 95 % of known samples pass.

    The threshold is the highest that 95 % of known samples pass (Hendrycks and Gimpel, ICLR 2017;
    Liang et al., ICLR 2018, 4.3).

    Args:
        known: Scores [N].
        unknown: Scores [M].

    Returns:
        0..1; NaN when either is empty.
    """
    if not len(known) or not len(unknown):
        return float("nan")
    passing = -(-95 * len(known) // 100)
    return float(np.mean(unknown >= np.sort(known)[len(known) - passing]))


def oscr(
    known: NDArray[np.floating], correct: NDArray[np.bool_], unknown: NDArray[np.floating]
) -> float:
    """Return the area under the correct classification rate over the false positive rate.

    Over all thresholds, this plots the share of known samples that pass with the right species
    against the share of unknown samples that pass (Dhamija et al., NeurIPS 2018, 3.3). It equals
    the share of right answers times the AUROC of the right answers.

    Args:
        known: Scores [N].
        correct: bool [N], whether the answer to each known sample is right.
        unknown: Scores [M].

    Returns:
        0..1; NaN when `known` or `unknown` is empty.
    """
    if not len(known) or not len(unknown):
        return float("nan")
    return float(correct.mean()) * auroc(known[correct], unknown) if correct.any() else 0.0


def reliability(scores: NDArray[np.floating], correct: NDArray[np.bool_]) -> list[ReliabilityBin]:
    """Compare the scores of answers with the share that is right, in BINS bins of equal size.

    Args:
        scores: [N], 0..1, the probability of each answer.
        correct: bool [N].

    Returns:
        The bins by rising score; fewer than BINS when there are fewer samples.
    """
    order = np.argsort(scores, kind="stable")
    return [
        ReliabilityBin(float(scores[rows].mean()), float(correct[rows].mean()), len(rows))
        for rows in np.array_split(order, BINS)
        if len(rows)
    ]


def ece(bins: Sequence[ReliabilityBin]) -> float:
    """Return the expected calibration error: the mean gap between score and accuracy.

    Guo et al., ICML 2017, 2; with bins of equal mass as in Nixon et al., 2019 (arXiv 1904.01685).

    Args:
        bins: From `reliability`.

    Returns:
        0..1; NaN without a sample.
    """
    total = sum(count for _, _, count in bins)
    gaps = sum(count * abs(score - accuracy) for score, accuracy, count in bins)
    return gaps / total if total else float("nan")


def mean(values: NDArray[np.floating] | NDArray[np.bool_]) -> float | None:
    """Return the rounded mean; None without a value."""
    return rounded(float(np.mean(values))) if len(values) else None


def rounded(value: float) -> float | None:
    """Round a figure to four decimals; return None for NaN and infinity, which JSON lacks."""
    return round(value, 4) if np.isfinite(value) else None
