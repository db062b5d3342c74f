"""Losses: the triplet loss of a batch, with semi-hard or hard negatives by cosine similarity."""

import tensorflow as tf

MINING = ("semi-hard", "hard")


def pair_masks(labels: tf.Tensor, recordings: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return which pairs of a batch are positives and which are negatives.

    A positive is a sample of the same species in another recording. Samples of the same recording
    are positives only when the batch has no other recording of the species.

    Args:
        labels: int [B], species.
        recordings: int [B], recordings, unique over species.

    Returns:
        Positives and negatives, bool [B, B] each; no sample is its own positive.
    """
    same_species = labels[:, None] == labels[None, :]
    same_recording = recordings[:, None] == recordings[None, :]
    itself = tf.eye(tf.shape(labels)[0], dtype=tf.bool)
    elsewhere = same_species & ~same_recording
    alone = ~tf.reduce_any(elsewhere, axis=1, keepdims=True)
    positives = elsewhere | (same_species & ~itself & alone)
    return positives, ~same_species


def triplet_loss(
    embeddings: tf.Tensor, positives: tf.Tensor, negatives: tf.Tensor, margin: float, mining: str
) -> dict[str, tf.Tensor]:
    """Compute the mean loss over the active triplets of a batch (FaceNet, arXiv 1503.03832, 3.2).

    For each positive pair, "semi-hard" mines the most similar negative that is less similar than
    the positive, or the least similar negative if there is no such one; "hard" mines the most
    similar negative. Anchors without a positive or a negative are ignored.

    Args:
        embeddings: float [B, D], unit.
        positives: bool [B, B].
        negatives: bool [B, B].
        margin: In cosine, 0..2.
        mining: One of MINING.

    Returns:
        Scalars: loss, active (the share of triplets with a loss above 0), d_ap and d_an (mean
        cosine distance to the positives and to the mined negatives).

    Raises:
        ValueError: When mining is none of MINING.
    """
    if mining not in MINING:
        raise ValueError(f"mining is {mining!r}; expected one of {', '.join(MINING)}")
    cosine = tf.matmul(embeddings, embeddings, transpose_b=True)
    if mining == "hard":
        mined = tf.reduce_max(tf.where(negatives, cosine, -2.0), axis=1, keepdims=True)
        mined = tf.broadcast_to(mined, tf.shape(cosine))
    else:
        mined = _semi_hard(cosine, negatives)
    valid = positives & tf.reduce_any(negatives, axis=1, keepdims=True)
    losses = tf.where(valid, tf.nn.relu(mined - cosine + margin), 0.0)
    count = tf.reduce_sum(tf.cast(valid, tf.float32))
    active = tf.reduce_sum(tf.cast(losses > 0.0, tf.float32))
    mean = tf.math.divide_no_nan
    return {
        "loss": mean(tf.reduce_sum(losses), active),
        "active": mean(active, count),
        "d_ap": mean(tf.reduce_sum(tf.where(valid, 1.0 - cosine, 0.0)), count),
        "d_an": mean(tf.reduce_sum(tf.where(valid, 1.0 - mined, 0.0)), count),
    }


def _semi_hard(cosine: tf.Tensor, negatives: tf.Tensor) -> tf.Tensor:
    """Return the cosine of the mined negative for each anchor (row) and positive (column)."""
    candidates = tf.where(negatives, cosine, -2.0)[:, None, :]
    further = candidates < cosine[:, :, None]
    semi = tf.reduce_max(tf.where(further, candidates, -2.0), axis=2)
    easiest = tf.reduce_min(tf.where(negatives, cosine, 2.0), axis=1, keepdims=True)
    return tf.where(semi > -2.0, semi, easiest)
