"""Where a tower's projection starts: shrinkage linear discriminant analysis."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

GRAM_PRECISION = 1e-7  # of float32 products, of the greatest eigenvalue
BEYOND = 1.5  # what the samples' other directions count beside those that spread the species


def discriminant(
    features: NDArray[np.float32], labels: NDArray[np.int64], dim: int, shrinkage: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Find the directions that spread species and not the samples of a species.

    Whitens the covariance within species, then takes the principal directions of the species'
    means (Fisher's criterion; shrinkage as in Ledoit and Wolf, 2004, at a fixed weight). The
    directions that are left over are the principal ones of the whitened samples: no species of
    the training data needs them, but one that is enrolled later may
    (docs/decisions/0011-directions-beyond-the-species.md).

    Args:
        features: float32 [N, F].
        labels: int64 [N].
        dim: Directions; as many as the number of species less one spread them.
        shrinkage: Weight of a sphere in the covariance within species, 0..1.

    Returns:
        Kernel float32 [F, dim] and bias float32 [dim], so that `features @ kernel + bias` has
        zero mean over species and unit variance within; BEYOND times that in the directions left.
    """
    data = features.astype(np.float64)
    species, index = np.unique(labels, return_inverse=True)
    means = np.stack([data[index == row].mean(axis=0) for row in range(len(species))])
    whiten = _whitening(data - means[index], len(species), shrinkage)
    centre = means.mean(axis=0)
    whitened = whiten(data)
    # Samples that do not differ leave rounding errors, which are no directions.
    least = GRAM_PRECISION * float((whitened**2).mean(axis=0).sum())
    _, strength, directions = np.linalg.svd(whiten(means - centre), full_matrices=False)
    kernel = np.zeros((data.shape[1], dim))
    count = min(dim, len(species) - 1, int((strength**2 > least).sum()))
    kernel[:, :count] = whiten(directions[:count]).T
    if 0 < count < dim:
        rest = whitened - whiten(centre[None])
        rest -= (rest @ directions[:count].T) @ directions[:count]
        squared, axes = _principal_axes(rest.astype(np.float32))
        axes = axes[squared > least * len(data)]
        beyond = axes[::-1][: dim - count]  # eigenvalues ascend: the last are the principal ones
        kernel[:, count : count + len(beyond)] = BEYOND * whiten(beyond).T
    return kernel.astype(np.float32), (-centre @ kernel).astype(np.float32)


def mean_directions(
    features: NDArray[np.float32], labels: NDArray[np.int64], dim: int
) -> NDArray[np.float32]:
    """Find the directions in which the species' means lie, as seen from zero.

    Nothing is whitened and nothing taken away: numbers that are near zero unless something was
    recognised keep their cosines. What is left over of dim are the principal directions of what
    the samples have beside.

    Args:
        features: float32 [N, F].
        labels: int64 [N].
        dim: Directions.

    Returns:
        float32 [F, dim], orthonormal columns, and columns of zeros where there are no more.
    """
    data = features.astype(np.float32)
    means = np.stack([data[labels == label].mean(axis=0) for label in np.unique(labels)])
    least = GRAM_PRECISION * float((data.astype(np.float64) ** 2).sum())
    spread = _strongest(means, dim, least)
    rest = (data - (data @ spread.T) @ spread).astype(np.float32)
    found = np.concatenate([spread, _strongest(rest, dim - len(spread), least)])
    return np.pad(found, ((0, dim - len(found)), (0, 0))).T.astype(np.float32)


def _strongest(rows: NDArray[Any], count: int, least: float) -> NDArray[np.float64]:
    """Find the right singular vectors [<= count, F] of rows whose squared values exceed least."""
    squared, axes = _principal_axes(rows)
    return axes[squared > least][::-1][:count]


def _whitening(
    spread: NDArray[np.float64], species: int, shrinkage: float
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Make the map of rows [K, F] by the inverse square root of the shrunk covariance [F, F].

    The covariance is never formed: beyond the samples' own span it is the sphere alone.
    """
    degrees = max(1, len(spread) - species)
    squared, axes = _principal_axes(spread.astype(np.float32))
    values = squared / degrees
    # Where every species has one sample there is no covariance to whiten.
    sphere = shrinkage * (float(values.sum()) / spread.shape[1] or 1.0)
    outside = 1 / np.sqrt(sphere)
    inside = 1 / np.sqrt((1 - shrinkage) * values + sphere)

    def whiten(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(outside * rows + ((rows @ axes.T) * (inside - outside)) @ axes)

    return whiten


def _principal_axes(rows: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the squared singular values [K] and right singular vectors [K, F] of rows [N, F].

    By the smaller of the two Gram matrices: of thousands of features, some hundred times faster
    than their decomposition. What lies below its precision is left out, as the shrinkage is far
    above it.
    """
    wide = len(rows) <= rows.shape[1]
    gram = (rows @ rows.T if wide else rows.T @ rows).astype(np.float64)
    squared, vectors = np.linalg.eigh(gram)
    kept = squared > squared[-1] * GRAM_PRECISION
    squared, vectors = squared[kept], vectors[:, kept]
    if wide:
        return squared, (vectors.T @ rows) / np.sqrt(squared)[:, None]
    return squared, vectors.T


def alignment(vectors: NDArray[np.float32], targets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Find the rotation that brings vectors nearest to targets (orthogonal Procrustes).

    Args:
        vectors: float32 [N, D], for instance species' means by sound.
        targets: float32 [N, D], the same species' means by sight.

    Returns:
        float32 [D, D]; `vectors @ rotation` is nearest to targets in the least-squares sense.
    """
    left, _, right = np.linalg.svd(vectors.T.astype(np.float64) @ targets)
    return np.asarray(left @ right, np.float32)
