"""Projection: the start of a tower's projection by shrinkage linear discriminant analysis."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

GRAM_PRECISION = 1e-7  # of float32 products, relative to the greatest eigenvalue
BEYOND = 1.5  # weight of the other directions, relative to those that separate the species


def discriminant(
    features: NDArray[np.float32], labels: NDArray[np.int64], dim: int, shrinkage: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Find the directions that separate species but not the samples of one species.

    The covariance within species is whitened; the first directions are the principal ones of the
    species' means (Fisher's criterion; shrinkage as in Ledoit and Wolf, 2004, at a fixed weight).
    The remaining directions are the principal ones of the whitened samples: they separate no
    species of the training data, but they may separate one that is enrolled later
    (docs/decisions/0011-directions-beyond-the-species.md).

    Args:
        features: float32 [N, F].
        labels: int64 [N], species.
        dim: Number of directions; at most the number of species less one separate species.
        shrinkage: Weight of a sphere in the covariance within species, 0..1.

    Returns:
        Kernel float32 [F, dim] and bias float32 [dim]. `features @ kernel + bias` has a mean of 0
        over species and a variance of 1 within species, and BEYOND times that deviation in the
        remaining directions.
    """
    data = features.astype(np.float64)
    species, index = np.unique(labels, return_inverse=True)
    means = np.stack([data[index == row].mean(axis=0) for row in range(len(species))])
    whiten = _whitening(data - means[index], len(species), shrinkage)
    centre = means.mean(axis=0)
    whitened = whiten(data)
    # Below this, a direction consists of rounding errors.
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
        beyond = axes[::-1][: dim - count]  # eigenvalues ascend, so the last are principal
        kernel[:, count : count + len(beyond)] = BEYOND * whiten(beyond).T
    return kernel.astype(np.float32), (-centre @ kernel).astype(np.float32)


def mean_directions(
    features: NDArray[np.float32], labels: NDArray[np.int64], dim: int
) -> NDArray[np.float32]:
    """Find the directions from zero to the species' means.

    Features are neither whitened nor centred, so those that are near zero unless something is
    recognised keep their cosines. The remaining directions are the principal ones of what the
    samples have beside the means' directions.

    Args:
        features: float32 [N, F].
        labels: int64 [N], species.
        dim: Number of directions.

    Returns:
        float32 [F, dim]: orthonormal columns, then columns of zeros if there are no more.
    """
    data = features.astype(np.float32)
    means = np.stack([data[labels == label].mean(axis=0) for label in np.unique(labels)])
    least = GRAM_PRECISION * float((data.astype(np.float64) ** 2).sum())
    spread = _strongest(means, dim, least)
    rest = (data - (data @ spread.T) @ spread).astype(np.float32)
    found = np.concatenate([spread, _strongest(rest, dim - len(spread), least)])
    return np.pad(found, ((0, dim - len(found)), (0, 0))).T.astype(np.float32)


def _strongest(rows: NDArray[np.float32], count: int, least: float) -> NDArray[np.float64]:
    """Return at most count right singular vectors [K, F] whose squared values exceed least."""
    squared, axes = _principal_axes(rows)
    return axes[squared > least][::-1][:count]


def _whitening(
    spread: NDArray[np.float64], species: int, shrinkage: float
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the map of rows [K, F] by the inverse square root of the shrunk covariance [F, F].

    The covariance is never formed, because outside the span of the samples it is a sphere.

    Args:
        spread: float64 [N, F], samples less the mean of their species.
        species: Number of species.
        shrinkage: Weight of the sphere, 0..1.
    """
    degrees = max(1, len(spread) - species)
    squared, axes = _principal_axes(spread.astype(np.float32))
    values = squared / degrees
    # When every species has one sample, there is no covariance.
    sphere = shrinkage * (float(values.sum()) / spread.shape[1] or 1.0)
    outside = 1 / np.sqrt(sphere)
    inside = 1 / np.sqrt((1 - shrinkage) * values + sphere)

    def whiten(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(outside * rows + ((rows @ axes.T) * (inside - outside)) @ axes)

    return whiten


def _principal_axes(rows: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the squared singular values [K] and right singular vectors [K, F] of rows [N, F].

    The smaller of the two Gram matrices is decomposed: with thousands of features, this is about a
    hundred times as fast as the decomposition of the rows. Values below its precision are left
    out, because the shrinkage is far above them.
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
    """Find the rotation of vectors with the least squared error to targets.

    Solves the orthogonal Procrustes problem.

    Args:
        vectors: float32 [N, D], such as the species' means by sound.
        targets: float32 [N, D], such as the same species' means by image.

    Returns:
        float32 [D, D], for `vectors @ rotation`.
    """
    left, _, right = np.linalg.svd(vectors.T.astype(np.float64) @ targets)
    return np.asarray(left @ right, np.float32)
