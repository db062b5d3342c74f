import numpy as np
import pytest
from numpy.typing import NDArray

from birdfield_train.projection import alignment, discriminant, mean_directions

SPECIES, EACH, WIDTH = 5, 40, 12


def clouds(
    seed: int, each: int = EACH, width: int = WIDTH, spread: float = 1.0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Draw species around centres of their own, with one covariance that is not a sphere."""
    rng = np.random.default_rng(seed)
    shape = rng.normal(size=(width, width)) / np.sqrt(width) + np.diag(np.linspace(0.2, 2, width))
    labels = np.repeat(np.arange(SPECIES), each)
    centres = spread * rng.normal(size=(SPECIES, width)) + 3
    noise = rng.normal(size=(len(labels), width)) @ shape
    return (centres[labels] + noise).astype(np.float32), labels


def within(projected: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the unbiased covariance within species."""
    means = np.stack([projected[labels == row].mean(axis=0) for row in range(SPECIES)])
    spread = projected - means[labels]
    return np.asarray(spread.T @ spread / (len(labels) - SPECIES))


def test_directions_have_variance_1_within_species_and_no_covariance() -> None:
    data, labels = clouds(0)
    kernel, bias = discriminant(data, labels, 8, shrinkage=1e-6)
    covariance = within(data @ kernel + bias, labels)[: SPECIES - 1, : SPECIES - 1]
    np.testing.assert_allclose(covariance, np.eye(SPECIES - 1), atol=2e-3)


def test_the_means_of_the_species_are_centred_for_unequal_numbers_of_samples() -> None:
    """Species 0 has 4 samples, the others 40: the centre is the mean of means, not of samples."""
    data, labels = clouds(1)
    kept = np.arange(36, len(labels))
    data, labels = data[kept], labels[kept]
    kernel, bias = discriminant(data, labels, 8, shrinkage=0.3)
    means = [(data[labels == row] @ kernel + bias).mean(axis=0) for row in range(SPECIES)]
    np.testing.assert_allclose(np.mean(means, axis=0), np.zeros(8), atol=1e-4)


def test_directions_beyond_the_species_less_one_do_not_separate_species() -> None:
    data, labels = clouds(2)
    kernel, bias = discriminant(data, labels, 8, shrinkage=0.3)
    assert kernel.shape == (WIDTH, 8) and kernel.dtype == bias.dtype == np.float32
    projected = data @ kernel + bias
    means = np.stack([projected[labels == row].mean(axis=0) for row in range(SPECIES)])
    np.testing.assert_allclose(means[:, SPECIES - 1 :], 0, atol=1e-4)
    assert means[:, : SPECIES - 1].std(axis=0).min() > 0.1


def test_remaining_directions_separate_what_no_species_differs_in() -> None:
    """Two birds of other species differ in the sixth feature, as no species of the data do."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 40)
    data = rng.normal(0, [1, 1, 1, 1, 1, 5], (120, 6)).astype(np.float32)
    data[:, :3] += 20 * np.eye(3, dtype=np.float32)[labels]
    kernel, _ = discriminant(data, labels, 4, shrinkage=0.9)
    step = np.array([0, 0, 0, 0, 0, 10], np.float32) @ kernel
    assert np.linalg.norm(step[2:]) > 5 * np.linalg.norm(step[:2])


def test_directions_without_samples_are_zero() -> None:
    data = np.array([[0, 0], [0, 1], [5, 0], [5, 1]], np.float32)
    kernel, bias = discriminant(data, np.array([0, 0, 1, 1]), 4, shrinkage=0.3)
    assert not kernel[:, 2:].any() and not bias[2:].any()


def test_the_strongest_directions_are_kept_when_there_are_more_species() -> None:
    """The variance between species falls from one direction to the next."""
    data, labels = clouds(3)
    kernel, bias = discriminant(data, labels, 2, shrinkage=0.3)
    full, _ = discriminant(data, labels, 4, shrinkage=0.3)
    np.testing.assert_allclose(kernel, full[:, :2], rtol=1e-5)
    means = [(data[labels == row] @ full).mean(axis=0) for row in range(SPECIES)]
    assert (np.diff(np.var(means, axis=0)) < 0).all()


@pytest.mark.parametrize("shrinkage", [0.05, 0.3, 0.9])
@pytest.mark.parametrize("each", [40, 3])
def test_decisions_are_those_of_scikit_learns_shrinkage_discriminant(
    shrinkage: float, each: int
) -> None:
    """With equal numbers of samples, both have the same covariance up to a factor.

    scikit-learn shrinks the covariance of each class to a sphere of its own; because shrinking is
    linear, their mean is (1 - s) S + s tr(S) / F. With 3 samples of 12 features, S is singular
    before shrinkage.
    """
    discriminant_analysis = pytest.importorskip(
        "sklearn.discriminant_analysis", reason="scikit-learn is not installed: birdfield[train]"
    )
    covariance = pytest.importorskip("sklearn.covariance")
    data, labels = clouds(4, each, spread=0.7)
    queries, _ = clouds(5, 100, spread=0.7)
    reference = discriminant_analysis.LinearDiscriminantAnalysis(
        solver="eigen", covariance_estimator=covariance.ShrunkCovariance(shrinkage=shrinkage)
    )
    expected = reference.fit(data.astype(np.float64), labels).predict(queries)
    kernel, bias = discriminant(data, labels, SPECIES - 1, shrinkage)
    means = np.stack([(data[labels == row] @ kernel + bias).mean(axis=0) for row in range(SPECIES)])
    distances = np.linalg.norm((queries @ kernel + bias)[:, None] - means[None], axis=2)
    assert len(np.unique(expected)) == SPECIES
    assert (distances.argmin(axis=1) == expected).mean() >= 0.998


@pytest.mark.parametrize(("each", "width"), [(40, 12), (8, 300)])
@pytest.mark.parametrize("shrinkage", [0.05, 0.3])
def test_the_gram_matrix_and_the_covariance_have_the_same_result(
    each: int, width: int, shrinkage: float
) -> None:
    """In float64: the inverse root of (1 - s) C + s tr(C) / F, then the means' principal axes."""
    data, labels = clouds(8, each, width, spread=0.7)
    means = np.stack([data[labels == row].mean(axis=0, dtype=np.float64) for row in range(SPECIES)])
    spread = data - means[labels]
    covariance = spread.T @ spread / (len(data) - SPECIES)
    values, axes = np.linalg.eigh(
        (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / width * np.eye(width)
    )
    root = axes / np.sqrt(values) @ axes.T
    directions = np.linalg.svd((means - means.mean(axis=0)) @ root)[2][: SPECIES - 1]
    expected = root @ directions.T
    kernel, bias = discriminant(data, labels, SPECIES - 1, shrinkage)
    expected *= np.sign((expected * kernel).sum(axis=0))  # the sign of a direction is arbitrary
    np.testing.assert_allclose(kernel, expected, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(bias, -means.mean(axis=0) @ expected, atol=1e-3)


def test_samples_without_spread_and_a_lone_sample_have_finite_directions() -> None:
    data = np.array([[0, 0, 1], [0, 0, 1], [1, 0, 0]], np.float32)
    kernel, bias = discriminant(data, np.array([0, 0, 1]), 4, shrinkage=0.3)
    assert np.isfinite(kernel).all() and np.isfinite(bias).all()
    projected = data @ kernel + bias
    assert np.sign(projected[0, 0]) == -np.sign(projected[2, 0]) != 0


def test_one_species_alone_has_no_direction() -> None:
    kernel, _ = discriminant(np.eye(3, dtype=np.float32), np.zeros(3, np.int64), 4, 0.3)
    np.testing.assert_array_equal(kernel, 0)


def test_alignment_recovers_a_known_rotation() -> None:
    rng = np.random.default_rng(6)
    rotation, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    vectors = rng.normal(size=(20, 6)).astype(np.float32)
    found = alignment(vectors, (vectors @ rotation).astype(np.float32))
    np.testing.assert_allclose(found, rotation, atol=1e-5)


def test_alignment_keeps_angles_and_moves_vectors_nearer_to_their_targets() -> None:
    rng = np.random.default_rng(7)
    targets = rng.normal(size=(4, 6)).astype(np.float32)  # fewer than dimensions
    vectors = rng.normal(size=(4, 6)).astype(np.float32)
    found = alignment(vectors, targets)
    np.testing.assert_allclose(found @ found.T, np.eye(6), atol=1e-5)
    assert np.linalg.norm(vectors @ found - targets) < np.linalg.norm(vectors - targets)


def test_mean_directions_are_those_of_the_means_and_then_of_the_remainder() -> None:
    """The means are (3, 0, 0, 0) and (0, 2, 0, 0); samples differ by 1 in the third feature."""
    data = np.array([[3, 0, 1, 0], [3, 0, -1, 0], [0, 2, 1, 0], [0, 2, -1, 0]], np.float32)
    found = mean_directions(data, np.array([4, 4, 7, 7]), 5)
    assert found.shape == (4, 5) and found.dtype == np.float32
    expected = np.zeros((4, 5))
    expected[[0, 1, 2], [0, 1, 2]] = 1
    np.testing.assert_allclose(np.abs(found), expected, atol=1e-6)
    np.testing.assert_allclose(mean_directions(data, np.array([4, 4, 7, 7]), 1), found[:, :1])


def test_mean_directions_of_zeros_are_zero() -> None:
    assert not mean_directions(np.zeros((4, 3), np.float32), np.array([0, 0, 1, 1]), 2).any()
