import numpy as np
import pytest
from fakes import at

from birdfield.metrics import bootstrap_ci95, retrieval


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def vectors(*degrees: float) -> np.ndarray:
    return np.stack([at(angle) for angle in degrees])


def test_retrieval_counts_the_nearest_others() -> None:
    """Three A at 0, 10 and 50 degrees and a B at 25; each A has R = 2 others to find.

    From 0 the others stand 10 A, 25 B: hit, miss; average precision (1/1) / 2 = 0.5.
    From 10 they stand 0 A, 25 B: the same. From 50 they stand 25 B, 10 A: miss, hit;
    (1/2) / 2 = 0.25 and the nearest is wrong. B has no other B to find.
    """
    recall, precision = retrieval(vectors(0, 10, 50, 25), ints(0, 0, 0, 1), ints(0, 1, 2, 3))
    assert np.array_equal(recall, [1, 1, 0, np.nan], equal_nan=True)
    assert np.allclose(precision, [0.5, 0.5, 0.25, np.nan], equal_nan=True)


def test_retrieval_leaves_out_what_shares_the_recording() -> None:
    """The A at 1 degree is a clip of the query's own recording: B at 5 is then the nearest."""
    recall, precision = retrieval(vectors(0, 1, 5, 20), ints(0, 0, 1, 0), ints(7, 7, 8, 9))
    assert recall.tolist()[:2] == [0, 0] and precision.tolist()[:2] == [0, 0]
    assert np.isnan(recall[2]) and recall[3] == 0


def test_retrieval_leaves_out_what_shares_the_photograph_or_the_recording() -> None:
    """Four pairs of one species: the first shares a side with the next two and finds the last."""
    recall, precision = retrieval(vectors(0, 1, 2, 90), ints(0, 0, 0, 0), ints(0, 0, 1, 1),
                                  ints(0, 1, 0, 1))
    assert recall.tolist() == [1] * 4 and precision.tolist() == [1] * 4


def test_retrieval_of_nothing_is_nothing() -> None:
    recall, precision = retrieval(np.zeros((0, 128), np.float32), ints(), ints())
    assert len(recall) == len(precision) == 0


@pytest.mark.parametrize("right", [True, False])
def test_an_interval_of_equal_samples_has_no_width(right: bool) -> None:
    correct = np.full(30, right)
    assert bootstrap_ci95(correct, np.arange(30)) == (float(right), float(right))


def test_an_interval_of_two_samples_is_everything() -> None:
    """Of one right and one wrong, a quarter of the resamples is 0, a quarter is 1."""
    assert bootstrap_ci95(np.array([True, False]), ints(0, 1)) == (0, 1)


def test_an_interval_is_the_binomial_one() -> None:
    """Of 100 with 50 right the standard deviation is 0.05: 0.5 - 1.96 x 0.05 = 0.402."""
    low, high = bootstrap_ci95(np.arange(100) < 50, np.arange(100))
    assert low == pytest.approx(0.402, abs=0.02) and high == pytest.approx(0.598, abs=0.02)


def test_clips_of_one_recording_are_not_taken_for_independent() -> None:
    """Ten recordings of 50 clips, half of them right as a whole: the sd is sqrt(0.25 / 10) = 0.158.

    That is 0.19 to 0.81; 500 independent clips would give 0.46 to 0.54.
    """
    recordings = np.repeat(np.arange(10), 50)
    low, high = bootstrap_ci95(recordings < 5, recordings)
    assert 0.1 <= low <= 0.25 and 0.75 <= high <= 0.9


def test_pairs_that_share_a_photograph_are_not_taken_for_independent() -> None:
    """All pairs of 10 photographs and 10 recordings, right when the photograph is."""
    photographs, recordings = np.repeat(np.arange(10), 10), np.tile(np.arange(10), 10)
    low, high = bootstrap_ci95(photographs < 5, photographs, recordings)
    assert 0.1 <= low <= 0.3 and 0.7 <= high <= 0.9


def test_an_interval_is_seeded() -> None:
    correct = np.arange(40) % 3 == 0
    assert bootstrap_ci95(correct, np.arange(40)) == bootstrap_ci95(correct, np.arange(40))
    assert bootstrap_ci95(correct, np.arange(40)) != bootstrap_ci95(correct, np.arange(40), seed=1)


def test_an_interval_of_nothing_is_no_number() -> None:
    assert np.isnan(bootstrap_ci95(np.zeros(0, bool), ints())).all()
