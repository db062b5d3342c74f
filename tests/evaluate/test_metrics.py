import tracemalloc

import numpy as np
import pytest
from fakes import at

from birdfield.evaluate import metrics
from birdfield.evaluate.metrics import (
    ReliabilityBin,
    auroc,
    bootstrap_ci95,
    ece,
    fpr_at_95_tpr,
    oscr,
    reliability,
    retrieval,
    wilson_ci95,
)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def vectors(*degrees: float) -> np.ndarray:
    return np.stack([at(angle) for angle in degrees])


def test_retrieval_counts_the_nearest_others() -> None:
    """Three A are at 0, 10 and 50 degrees and a B at 25; each A has R = 2 other A to find.

    From 0 the nearest are A at 10, B at 25: hit, miss; average precision (1/1) / 2 = 0.5.
    From 10 they are A at 0, B at 25: the same. From 50 they are B at 25, A at 10: miss, hit;
    (1/2) / 2 = 0.25, and the nearest is wrong. B has no other B to find.
    """
    recall, precision = retrieval(vectors(0, 10, 50, 25), ints(0, 0, 0, 1), ints(0, 1, 2, 3))
    assert np.array_equal(recall, [1, 1, 0, np.nan], equal_nan=True)
    assert np.allclose(precision, [0.5, 0.5, 0.25, np.nan], equal_nan=True)


def test_retrieval_excludes_clips_of_the_same_recording() -> None:
    """The A at 1 degree is a clip of the query's recording, so B at 5 is the nearest."""
    recall, precision = retrieval(vectors(0, 1, 5, 20), ints(0, 0, 1, 0), ints(7, 7, 8, 9))
    assert recall.tolist()[:2] == [0, 0] and precision.tolist()[:2] == [0, 0]
    assert np.isnan(recall[2]) and recall[3] == 0


def test_retrieval_excludes_pairs_with_the_same_photograph_or_recording() -> None:
    """Four pairs of one species: the first shares a file with two of them and finds the last."""
    recall, precision = retrieval(
        vectors(0, 1, 2, 90), ints(0, 0, 0, 0), ints(0, 0, 1, 1), ints(0, 1, 0, 1)
    )
    assert recall.tolist() == [1] * 4 and precision.tolist() == [1] * 4


def test_retrieval_in_batches_limits_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cosine and a rank of 12 bytes a pair are 23 MB for 1,400 files; 50 queries need 0.8 MB.

    The results are the same.
    """
    drawn = np.random.default_rng(0).normal(size=(1400, 128)).astype(np.float32)
    found = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    species, files = np.arange(1400) % 7, np.arange(1400)
    whole = retrieval(found, species, files)
    monkeypatch.setattr(metrics, "QUERY_BATCH", 50)
    tracemalloc.start()
    parts = retrieval(found, species, files)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000
    np.testing.assert_allclose(parts, whole)


def test_retrieval_without_samples_is_empty() -> None:
    recall, precision = retrieval(np.zeros((0, 128), np.float32), ints(), ints())
    assert len(recall) == len(precision) == 0


@pytest.mark.parametrize("right", [True, False])
def test_the_interval_of_equal_samples_is_wilsons(right: bool) -> None:
    """With n of n right, the lower bound is n / (n + 1.96^2): 30 / 33.84 = 0.8865, to 1; with 0 of
    n, the interval is its mirror image.
    """
    correct = np.full(30, right)
    expected = (0.8865, 1.0) if right else (0.0, 0.1135)
    assert bootstrap_ci95(correct, np.arange(30)) == pytest.approx(expected, abs=1e-4)


def test_clips_of_one_recording_count_once_where_all_are_right() -> None:
    """50 clips of 5 recordings are 5 samples: 5 / 8.84 = 0.5655."""
    low, high = bootstrap_ci95(np.full(50, True), np.repeat(np.arange(5), 10), np.arange(50))
    assert (low, high) == pytest.approx((0.5655, 1.0), abs=1e-4)


def test_wilsons_interval_is_that_of_a_published_example() -> None:
    """15 of 148: 0.0624 to 0.1605 (Newcombe, Statistics in Medicine 17, 1998, table I)."""
    assert wilson_ci95(15 / 148, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)


def test_the_interval_of_two_samples_is_0_to_1() -> None:
    """With one right and one wrong answer, a quarter of the resamples is 0 and a quarter is 1."""
    assert bootstrap_ci95(np.array([True, False]), ints(0, 1)) == (0, 1)


def test_an_interval_is_binomial() -> None:
    """With 50 of 100 right the standard deviation is 0.05: 0.5 - 1.96 x 0.05 = 0.402."""
    low, high = bootstrap_ci95(np.arange(100) < 50, np.arange(100))
    assert low == pytest.approx(0.402, abs=0.02) and high == pytest.approx(0.598, abs=0.02)


def test_clips_of_one_recording_are_not_independent() -> None:
    """All 50 clips of half of ten recordings are right: the sd is sqrt(0.25 / 10) = 0.158.

    The interval is 0.19 to 0.81; that of 500 independent clips is 0.46 to 0.54.
    """
    recordings = np.repeat(np.arange(10), 50)
    low, high = bootstrap_ci95(recordings < 5, recordings)
    assert 0.1 <= low <= 0.25 and 0.75 <= high <= 0.9


def test_pairs_that_share_a_photograph_are_not_independent() -> None:
    """All pairs of 10 photographs and 10 recordings; five photographs are right."""
    photographs, recordings = np.repeat(np.arange(10), 10), np.tile(np.arange(10), 10)
    low, high = bootstrap_ci95(photographs < 5, photographs, recordings)
    assert 0.1 <= low <= 0.3 and 0.7 <= high <= 0.9


def test_an_interval_is_seeded() -> None:
    correct = np.arange(40) % 3 == 0
    assert bootstrap_ci95(correct, np.arange(40)) == bootstrap_ci95(correct, np.arange(40))
    assert bootstrap_ci95(correct, np.arange(40)) != bootstrap_ci95(correct, np.arange(40), seed=1)


def test_the_interval_without_samples_is_nan() -> None:
    assert np.isnan(bootstrap_ci95(np.zeros(0, bool), ints())).all()


def draw(seed: int, known: int, unknown: int, decimals: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw scores; few decimals make many ties."""
    rng = np.random.default_rng(seed)
    return rng.normal(1, 1, known).round(decimals), rng.normal(0, 1, unknown).round(decimals)


def test_auroc_counts_ordered_pairs_and_half_of_ties() -> None:
    """3 beats 1 and 2, 2 beats 1 and ties with 2: 3.5 of 4 pairs."""
    assert auroc(np.array([3.0, 2.0]), np.array([2.0, 1.0])) == 3.5 / 4
    assert auroc(np.array([0.0, 1.0]), np.array([2.0])) == 0
    assert auroc(np.ones(5), np.ones(3)) == 0.5


def test_fpr95_uses_the_highest_threshold_that_95_percent_pass() -> None:
    """Of known 1..20, 19 pass at 2; of unknown 0, 1, 2, 2 and 9 three pass: those at 2 and 9.

    Of known 1..19, 95 % is 18.05, so all 19 must pass: at 1, which four of five unknown pass.
    """
    unknown = np.array([0.0, 1, 2, 2, 9])
    assert fpr_at_95_tpr(np.arange(1.0, 21), unknown) == 3 / 5
    assert fpr_at_95_tpr(np.arange(1.0, 20), unknown) == 4 / 5


@pytest.mark.parametrize("decimals", [0, 1, 6])
@pytest.mark.parametrize(("known", "unknown"), [(1, 1), (20, 7), (100, 300), (57, 61)])
def test_the_roc_equals_that_of_scikit_learn(decimals: int, known: int, unknown: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    inside, outside = draw(known, known, unknown, decimals)
    truth = np.repeat([1, 0], [known, unknown])
    scores = np.concatenate([inside, outside])
    assert auroc(inside, outside) == pytest.approx(sklearn.roc_auc_score(truth, scores))
    fpr, tpr, _ = sklearn.roc_curve(truth, scores, drop_intermediate=False)
    assert fpr_at_95_tpr(inside, outside) == pytest.approx(
        fpr[np.argmax(np.round(tpr * known) * 100 >= 95 * known)]
    )


def test_oscr_is_the_area_under_the_two_rates() -> None:
    """Known scores are 4 (right), 3 (wrong) and 1 (right); unknown scores are 2 and 0.

    Correct classification rate and false positive rate are (1/3, 0) at threshold 3, (1/3, 1/2)
    at 2, (2/3, 1/2) at 1 and (2/3, 1) at 0: the area is 1/2 * 1/3 + 1/2 * 2/3 = 1/2.
    """
    known, correct = np.array([4.0, 3, 1]), np.array([True, False, True])
    assert oscr(known, correct, np.array([2.0, 0])) == pytest.approx(0.5)


@pytest.mark.parametrize("decimals", [0, 6])
def test_oscr_equals_the_trapezoid_rule_over_all_thresholds(decimals: int) -> None:
    known, unknown = draw(3, 40, 30, decimals)
    correct = np.random.default_rng(4).random(40) < 0.7
    steps = [np.inf, *np.unique(np.concatenate([known, unknown]))[::-1]]
    right = np.array([np.mean(correct & (known >= step)) for step in steps])
    false = np.array([np.mean(unknown >= step) for step in steps])
    area = float(((right[1:] + right[:-1]) / 2 * np.diff(false)).sum())
    assert oscr(known, correct, unknown) == pytest.approx(area)


def test_oscr_is_the_auroc_without_errors_and_0_without_right_answers() -> None:
    known, unknown = draw(0, 20, 20, 1)
    assert oscr(known, np.ones(20, bool), unknown) == pytest.approx(auroc(known, unknown))
    assert oscr(known, np.zeros(20, bool), unknown) == 0


@pytest.mark.parametrize(("known", "unknown"), [(0, 3), (3, 0), (0, 0)])
def test_rejection_without_samples_is_nan(known: int, unknown: int) -> None:
    assert np.isnan(auroc(np.ones(known), np.ones(unknown)))
    assert np.isnan(fpr_at_95_tpr(np.ones(known), np.ones(unknown)))
    assert np.isnan(oscr(np.ones(known), np.ones(known, bool), np.ones(unknown)))


def test_reliability_has_ten_bins_of_equal_size() -> None:
    """20 answers score 0.025, 0.075 ... 0.975: two in each bin, and the lower half is wrong.

    The means of the bins are 0.05, 0.15 ... 0.95. Below 0.5 the gaps are 0.05 .. 0.45, 0.25 on
    average; above it they are 0.45 .. 0.05. The error is 0.25.
    """
    scores = np.arange(0.025, 1, 0.05)
    bins = reliability(scores[::-1], scores[::-1] > 0.5)
    assert [count for _, _, count in bins] == [2] * 10
    assert np.allclose([score for score, _, _ in bins], np.arange(0.05, 1, 0.1))
    assert [accuracy for _, accuracy, _ in bins] == [0] * 5 + [1] * 5
    assert ece(bins) == pytest.approx(0.25)


def test_few_answers_make_few_bins() -> None:
    """Each bin holds one answer: 0.9 is right and 0.6 wrong, so the gaps are 0.1 and 0.6."""
    assert reliability(np.array([0.9, 0.6]), np.array([True, False])) == [(0.6, 0, 1), (0.9, 1, 1)]
    bins = [ReliabilityBin(0.6, 0, 1), ReliabilityBin(0.9, 1, 1)]
    assert ece(bins) == pytest.approx(0.35)
    assert reliability(np.zeros(0), np.zeros(0, bool)) == [] and np.isnan(ece([]))
