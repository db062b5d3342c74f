"""Evidence for 0014: python docs/decisions/0014_ablations.py DATA OUT.csv.

Out-of-fold top-1 of DATA/images and DATA/audio after eight epochs of the heads, one thing changed
at a time; three seeds of folds and batches. EfficientNet-Lite0 as it is packaged, and YAMNet.
"""

import csv
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from birdfield.config import PACKAGED_YAMNET
from birdfield.dataset import scan
from birdfield.evaluate import Embedded, Scored, score
from birdfield.frontend import open_frontend
from birdfield_train import batches, heads
from birdfield_train.backbones import get_backbone
from birdfield_train.crossval import FOLDS, Indexed, index_samples
from birdfield_train.factory import build_gallery
from birdfield_train.features import FeatureSet, extract
from birdfield_train.fit import FitConfig, Fitter
from birdfield_train.losses import pair_masks
from birdfield_train.tune import Tail

SEEDS, EPOCHS, GAIN = (0, 1, 2), 8, 0.7
SOFTMAX_TEMPERATURE = 0.1
MS_ALPHA, MS_BETA, MS_BASE, MS_EPSILON = 2.0, 40.0, 0.5, 0.1  # arXiv 1904.06627, 4.1

Tensor = Any
Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]  # embeddings, labels, two masks


def normalised_softmax(embeddings: Tensor, labels: Tensor, positives: Tensor,
                       negatives: Tensor) -> Tensor:
    """Classify each sample by the mean embeddings of the batch's species."""
    species, own = tf.unique(labels)
    means = tf.math.unsorted_segment_mean(embeddings, own, tf.size(species))
    logits = embeddings @ tf.transpose(tf.math.l2_normalize(means, 1)) / SOFTMAX_TEMPERATURE
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(own, logits))


def multi_similarity(embeddings: Tensor, labels: Tensor, positives: Tensor,
                     negatives: Tensor) -> Tensor:
    """Weigh pairs by how they stand to the others (arXiv 1904.06627, eq. 13 to 15)."""
    cosine = embeddings @ tf.transpose(embeddings)
    nearest = tf.reduce_max(tf.where(negatives, cosine, -2.0), 1, keepdims=True)
    furthest = tf.reduce_min(tf.where(positives, cosine, 2.0), 1, keepdims=True)
    pulled = positives & (cosine - MS_EPSILON < nearest)
    pushed = negatives & (cosine + MS_EPSILON > furthest)
    near = tf.reduce_sum(tf.where(pulled, tf.exp(-MS_ALPHA * (cosine - MS_BASE)), 0.0), 1)
    far = tf.reduce_sum(tf.where(pushed, tf.exp(MS_BETA * (cosine - MS_BASE)), 0.0), 1)
    return tf.reduce_mean(tf.math.log1p(near) / MS_ALPHA + tf.math.log1p(far) / MS_BETA)


class OtherLoss(Fitter):
    """The fit by a loss other than the triplets."""

    loss: Loss

    def _step(self, mining: str, pooled: Tensor, sequences: Tensor, presence: Tensor,
              labels: Tensor, recordings: Tensor) -> dict[str, Tensor]:
        with tf.GradientTape() as tape:
            embeddings = self.heads(pooled, sequences, presence)
            loss = type(self).loss(embeddings, labels, *pair_masks(labels, recordings))
        weights = self.heads.trainable
        self._optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss, "active": tf.constant(0.0), "spread": tf.constant(1.0)}


class NormalisedSoftmax(OtherLoss):
    """By the batch's own species."""

    loss = staticmethod(normalised_softmax)


class MultiSimilarity(OtherLoss):
    """By pairs."""

    loss = staticmethod(multi_similarity)


BASE = FitConfig()
# Name: the fit's class, its config, module constants, whether tokens are zeros, and the senses.
Change = tuple[type[Fitter], FitConfig, dict[tuple[Any, str], Any], bool, str]
CHANGES: dict[str, Change] = {
    "as it is": (Fitter, BASE, {}, False, "both"),
    "no triplets": (Fitter, replace(BASE, learning_rate=0.0), {}, False, "both"),
    "hard from the start": (Fitter, replace(BASE, semi_hard_epochs=0), {}, False, "both"),
    "semi-hard throughout": (Fitter, replace(BASE, semi_hard_epochs=EPOCHS), {}, False, "both"),
    "multi-similarity": (MultiSimilarity, BASE, {}, False, "both"),
    "normalised softmax": (NormalisedSoftmax, BASE, {}, False, "both"),
    "margin 0.05": (Fitter, replace(BASE, margin=0.05), {}, False, "both"),
    "margin 0.2": (Fitter, replace(BASE, margin=0.2), {}, False, "both"),
    "mean pooling alone": (Fitter, BASE, {(heads, "IMAGE_PEAK_WEIGHT"): 0.0,
                                          (heads, "AUDIO_PEAK_WEIGHT"): 0.0}, False, "both"),
    "no sense dropped": (Fitter, BASE, {(batches, "BOTH_SHARE"): 1.0}, False, "both"),
    "zeros for tokens": (Fitter, BASE, {}, True, "both"),
    "towers alone: image": (Fitter, BASE, {}, False, "image"),
    "towers alone: audio": (Fitter, BASE, {}, False, "audio"),
}


def score_fold(samples: Indexed, fold: int, fitter: Fitter, zeros: bool, seed: int) -> Scored:
    """Score the held-out fold with prototypes of the others."""
    split = samples.split(fold)
    fusion = fitter.heads.fusion_weights().with_gain(GAIN)
    if zeros:
        fusion = replace(fusion, image_token=0 * fusion.image_token,
                         audio_token=0 * fusion.audio_token)
    embed = {"image": fitter.heads.embed_images, "audio": fitter.heads.embed_audio}
    gallery = build_gallery(fusion.fuse, samples.species, embed["image"](split.images),
                            split.image_labels, embed["audio"](split.audio), split.audio_labels)
    tested = {}
    for sense in ("image", "audio"):
        rows = samples.tested(sense, fold)
        vectors = embed[sense]([samples.features[sense][int(row)] for row in rows])
        tested[sense] = Embedded(vectors, samples.labels[sense][rows],
                                 samples.recordings[sense][rows])
    return score(fusion.fuse, gallery, tested["image"], tested["audio"], seed)


def measure(features: FeatureSet, species: Any, channels: int, audio: Any, change: Change,
            seed: int) -> list[float]:
    """Give top-1 by image, by audio and by both; not a number for a sense left out."""
    make, config, constants, zeros, senses = change
    kept = replace(features, images=features.images if senses != "audio" else (),
                   audio=features.audio if senses != "image" else ())
    samples = index_samples(kept, species, seed, replace(kept, images=(), audio=()))
    before = {key: getattr(*key) for key in constants}
    for (module, name), value in constants.items():
        setattr(module, name, value)
    parts = []
    for fold in range(FOLDS):
        fitter = make(samples.split(fold), channels, audio, config, seed)
        fitter.run(EPOCHS, lambda *_: None)
        parts.append(score_fold(samples, fold, fitter, zeros, seed))
    for (module, name), value in before.items():
        setattr(module, name, value)
    right = [np.concatenate([getattr(part, sense).correct for part in parts])
             for sense in ("image", "audio", "both")]
    return [float(one.mean()) if len(one) else float("nan") for one in right]


def main(data: str, out: str) -> None:
    """Measure every change with every seed."""
    dataset = scan(Path(data) / "images", Path(data) / "audio")
    backbone, frontend = get_backbone("efficientnet-lite0"), open_frontend("yamnet",
                                                                           PACKAGED_YAMNET)
    features = extract(dataset, backbone, frontend, lambda *_: None)
    assert backbone.tuning is not None
    tail = Tail(backbone, backbone.tuning)
    features = replace(features, images=tuple(tail.pool(features.images)))
    with Path(out).open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["change", "image", "image_sd", "audio", "audio_sd", "both", "both_sd"])
        for name, change in CHANGES.items():
            found = np.array([measure(features, dataset.species, backbone.channels, frontend.spec,
                                      change, seed) for seed in SEEDS])
            pairs = zip(found.mean(axis=0), found.std(axis=0, ddof=1), strict=True)
            row = [name, *(f"{value:.4f}" for pair in pairs for value in pair)]
            writer.writerow(row)
            stream.flush()
            print(*row, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
