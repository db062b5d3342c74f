"""Embeddings are at known angles on the unit circle; a cosine is that of their difference."""

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

import tensorflow as tf

from birdfield_train.losses import MINING, pair_masks, triplet_loss

pytestmark = pytest.mark.train

MARGIN = 0.3


def at_angles(*degrees: float) -> tf.Tensor:
    radians = np.radians(degrees)
    return tf.constant(np.stack([np.cos(radians), np.sin(radians)], axis=1), tf.float32)


def pairs(count: int, *chosen: tuple[int, int]) -> tf.Tensor:
    mask = np.zeros((count, count), bool)
    for anchor, other in chosen:
        mask[anchor, other] = True
    return tf.constant(mask)


def of_labels(
    degrees: list[float],
    labels: list[int],
    recordings: list[int] | None = None,
    mining: str = "hard",
    margin: float = MARGIN,
) -> dict[str, float]:
    recordings = recordings or list(range(len(labels)))
    masks = pair_masks(tf.constant(labels), tf.constant(recordings))
    measured = triplet_loss(at_angles(*degrees), *masks, margin, mining)
    return {name: float(value) for name, value in measured.items()}


@pytest.mark.parametrize(
    ("mining", "loss", "d_an"), [("hard", 0.6660, 0.1340), ("semi-hard", 0.0588, 0.7412)]
)
def test_hard_mines_the_nearest_negative_and_semi_hard_the_nearest_beyond_the_positive(
    mining: str, loss: float, d_an: float
) -> None:
    """Anchor 0, positive 60 (cos 0.5), negatives 30 (0.8660), 75 (0.2588) and 150 (-0.8660).

    Hard: 0.8660 - 0.5 + 0.3 = 0.6660. Semi-hard: only 75 and 150 are farther than the positive,
    and 75 is nearer: 0.2588 - 0.5 + 0.3 = 0.0588.
    """
    measured = triplet_loss(
        at_angles(0, 60, 30, 75, 150),
        pairs(5, (0, 1)),
        pairs(5, (0, 2), (0, 3), (0, 4)),
        MARGIN,
        mining,
    )
    assert float(measured["loss"]) == pytest.approx(loss, abs=1e-4)
    assert float(measured["active"]) == 1
    assert float(measured["d_ap"]) == pytest.approx(0.5, abs=1e-6)
    assert float(measured["d_an"]) == pytest.approx(d_an, abs=1e-4)


def test_semi_hard_mines_the_farthest_negative_when_all_are_nearer_than_the_positive() -> None:
    """Anchor 0, positive 60, negatives 30 and 45: cos 45 - cos 60 + 0.3 = 0.5071."""
    measured = triplet_loss(
        at_angles(0, 60, 30, 45), pairs(4, (0, 1)), pairs(4, (0, 2), (0, 3)), MARGIN, "semi-hard"
    )
    assert float(measured["loss"]) == pytest.approx(0.7071 - 0.5 + 0.3, abs=1e-4)


def test_each_positive_has_its_own_negative() -> None:
    """Anchor 0, positives 20 (0.9397) and 60 (0.5), negatives 40 (0.7660) and 80 (0.1736).

    Semi-hard: 40 for the first, 0.7660 - 0.9397 + 0.3 = 0.1263; 80 for the second,
    0.1736 - 0.5 + 0.3 < 0, inactive. One of two is active, and the mean is its loss.
    """
    measured = triplet_loss(
        at_angles(0, 20, 60, 40, 80),
        pairs(5, (0, 1), (0, 2)),
        pairs(5, (0, 3), (0, 4)),
        MARGIN,
        "semi-hard",
    )
    assert float(measured["loss"]) == pytest.approx(0.1263, abs=1e-4)
    assert float(measured["active"]) == 0.5


def test_the_loss_is_the_mean_over_active_triplets_without_anchors_that_lack_a_positive() -> None:
    """Species A at 0 and 60, species B at 90 only, margin 0.1.

    Anchor 0: cos 90 - cos 60 + 0.1 = -0.4, inactive. Anchor 60: cos 30 - cos 60 + 0.1 = 0.4660.
    Anchor 90 has no positive. So 1 of 2 triplets is active, d_ap = 1 - 0.5, and
    d_an = (1 - 0 + 1 - 0.8660) / 2 = 0.5670.
    """
    measured = of_labels([0, 60, 90], [0, 0, 1], margin=0.1)
    assert measured == pytest.approx(
        {"loss": 0.4660, "active": 0.5, "d_ap": 0.5, "d_an": 0.5670}, abs=1e-4
    )


@pytest.mark.parametrize("mining", MINING)
@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [0, 0, 0, 0]])
def test_a_batch_without_a_triplet_has_loss_0_and_gradients_of_0(
    mining: str, labels: list[int]
) -> None:
    """With unique labels there is no positive, and with equal labels no negative."""
    vectors = tf.Variable(at_angles(0, 40, 80, 120))
    masks = pair_masks(tf.constant(labels), tf.range(4))
    with tf.GradientTape() as tape:
        measured = triplet_loss(tf.math.l2_normalize(vectors, axis=1), *masks, MARGIN, mining)
    assert {name: float(value) for name, value in measured.items()} == {
        "loss": 0.0,
        "active": 0.0,
        "d_ap": 0.0,
        "d_an": 0.0,
    }
    np.testing.assert_array_equal(tape.gradient(measured["loss"], vectors), np.zeros((4, 2)))


@pytest.mark.parametrize("mining", MINING)
def test_equal_embeddings_have_the_margin_as_loss_and_a_finite_gradient(mining: str) -> None:
    """Every cosine is 1, so every triplet has a loss of 1 - 1 + 0.3: the embeddings collapsed."""
    vectors = tf.Variable(at_angles(30, 30, 30, 30))
    masks = pair_masks(tf.constant([0, 0, 1, 1]), tf.range(4))
    with tf.GradientTape() as tape:
        measured = triplet_loss(tf.math.l2_normalize(vectors, axis=1), *masks, MARGIN, mining)
    assert float(measured["loss"]) == pytest.approx(MARGIN)
    assert float(measured["active"]) == 1
    assert np.isfinite(tape.gradient(measured["loss"], vectors)).all()


def test_a_step_against_the_gradient_lowers_the_loss() -> None:
    vectors = tf.Variable(at_angles(0, 60, 30, 75))
    masks = pair_masks(tf.constant([0, 0, 1, 1]), tf.range(4))

    def loss() -> tf.Tensor:
        return triplet_loss(tf.math.l2_normalize(vectors, axis=1), *masks, MARGIN, "hard")["loss"]

    with tf.GradientTape() as tape:
        before = loss()
    vectors.assign_sub(0.05 * tape.gradient(before, vectors))
    assert float(loss()) < float(before)


def test_positives_are_other_recordings_if_the_species_has_any() -> None:
    """Samples 0 and 1 are clips of one recording, 2 is of another, and 3 of another species."""
    positives, negatives = pair_masks(tf.constant([0, 0, 0, 1]), tf.constant([5, 5, 6, 7]))
    np.testing.assert_array_equal(
        positives, [[0, 0, 1, 0], [0, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    )
    np.testing.assert_array_equal(
        negatives, [[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1], [1, 1, 1, 0]]
    )


def test_clips_of_a_species_only_recording_are_positives() -> None:
    positives, _ = pair_masks(tf.constant([0, 0, 1]), tf.constant([5, 5, 6]))
    np.testing.assert_array_equal(positives, [[0, 1, 0], [1, 0, 0], [0, 0, 0]])


def test_an_unknown_mining_is_refused() -> None:
    masks = pair_masks(tf.constant([0, 0]), tf.range(2))
    with pytest.raises(ValueError, match="mining is 'soft'; expected one of semi-hard, hard"):
        triplet_loss(at_angles(0, 10), *masks, MARGIN, "soft")
