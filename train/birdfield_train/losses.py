"""The triplet loss over a batch: semi-hard and hard negatives, by cosine similarity."""

import tensorflow as tf

MINING = ("semi-hard", "hard")


def pair_masks(labels: tf.Tensor, recordings: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Tell which pairs of a batch are positives and which are negatives.

    A positive is the same species in another recording; an own-recording positive counts only
    for a clip whose species shows no other recording in the batch.

    Args:
        labels: int [B], species.
        recordings: int [B], recording, unique over species.

    Returns:
        Two bool [B, B]: positives (never a sample with itself) and negatives.
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

    For each positive pair, "semi-hard" takes the most similar negative that is still less
    similar than the positive, and the least similar negative where there is none such; "hard"
    takes the most similar negative. Anchors without a positive or a negative are dropped.

    Args:
        embeddings: float [B, D], unit.
        positives: bool [B, B].
        negatives: bool [B, B].
        margin: In cosine, 0..2.
        mining: One of MINING.

    Returns:
        Scalars: loss, active (the fraction of triplets with a loss), d_ap and d_an (mean cosine
        distance to the positives and to the mined negatives).

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
    """Pick a negative's cosine for each anchor (row) and positive (column), [B, B]."""
    candidates = tf.where(negatives, cosine, -2.0)[:, None, :]
    further = candidates < cosine[:, :, None]
    semi = tf.reduce_max(tf.where(further, candidates, -2.0), axis=2)
    easiest = tf.reduce_min(tf.where(negatives, cosine, 2.0), axis=1, keepdims=True)
    return tf.where(semi > -2.0, semi, easiest)
