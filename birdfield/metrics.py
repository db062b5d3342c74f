"""What evaluation counts: top-1, retrieval, and intervals by resampling what was sampled."""

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000


def retrieval(vectors: NDArray[np.float32], labels: NDArray[np.int64],
              *units: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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
    cosine = vectors @ vectors.T
    for unit in units:
        cosine[unit[:, None] == unit[None, :]] = -np.inf
    order = np.argsort(-cosine, axis=1, kind="stable")
    for row in range(count):
        candidates = order[row][np.isfinite(cosine[row, order[row]])]
        hits = labels[candidates] == labels[row]
        relevant = int(hits.sum())
        if relevant:
            nearest = hits[:relevant]
            ranks = np.arange(1, relevant + 1)
            recall[row] = float(hits[0])
            precision[row] = float((np.cumsum(nearest) / ranks * nearest).sum() / relevant)
    return recall, precision


def bootstrap_ci95(correct: NDArray[np.bool_], *units: NDArray[np.int64],
                   seed: int = 0) -> tuple[float, float]:
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
