"""Fine-tuning: fits the last stage of a convolutional base to the photographs of one split.

The base's own features are fitted to the species first, on several views of every photograph; the
heads then start on the fine-tuned features of the plain photographs.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from birdfield import atomic
from birdfield.arrays import dump_arrays
from birdfield.model.encoder import unit
from birdfield_train.backbones import Backbone, Tuning
from birdfield_train.features import Feature
from birdfield_train.heads import IMAGE_PEAK_WEIGHT, weighted_discriminant
from birdfield_train.history import EpochMetrics
from birdfield_train.losses import pair_masks, triplet_loss
from birdfield_train.packed_weights import quantise_kernel
from birdfield_train.samples import Split
from birdfield_train.towers import pool_features

CHUNK = 64  # photographs pooled at once
POOLED_VIEWS = 3  # of a training photograph for the start of the projection, beside the plain one
HEAD_RATE = 3  # learning rate of the temporary head, as a multiple of the base's

TuneEpoch = Callable[[int, EpochMetrics], None]  # number of epochs, metrics


class Tail:
    """The last stage of a base: from cached maps to pooled features."""

    def __init__(self, backbone: Backbone, tuning: Tuning) -> None:
        """Build it with the packaged weights."""
        base = backbone.build()
        self._tuning = tuning
        maps = base.get_layer(tuning.after).output
        self.model = keras.Model(
            maps, keras.layers.Concatenate()(pool_features(keras.Model(maps, base.output)(maps)))
        )
        self._forward = tf.function(
            lambda maps: self.model(maps, training=False), reduce_retracing=True
        )

    def pool(self, images: Sequence[Feature], views: int = 0) -> list[Feature]:
        """Compute the pooled features of photographs.

        Args:
            images: Photographs with cached views.
            views: Other views to pool beside the plain one.

        Returns:
            The photographs; `load` and `load_pooled` now return the pooled features.
        """
        pooled: list[Feature] = []
        for start in range(0, len(images), CHUNK):
            chunk = images[start : start + CHUNK]
            by_view = [
                self._forward(
                    tf.constant(np.stack([feature.load_view(view) for feature in chunk]))
                ).numpy()
                for view in range(views + 1)
            ]
            pooled += [
                replace(feature, tuned=values)
                for feature, values in zip(chunk, np.stack(by_view, axis=1), strict=True)
            ]
        return pooled

    def tune(self, split: Split, seed: int, on_epoch: TuneEpoch) -> None:
        """Fit the tail to the species of a split's photographs.

        With fewer than two species, it keeps the packaged weights.

        Args:
            split: Photographs with cached views; recordings are not used.
            seed: Seed of the batches.
            on_epoch: Called after each epoch.
        """
        if len(np.unique(split.image_labels)) < 2:
            return
        fitter = _TailFitter(self, self._tuning, split)
        for epoch in range(self._tuning.epochs):
            metrics = fitter.run_epoch(epoch, np.random.default_rng([seed, epoch]))
            on_epoch(self._tuning.epochs, metrics)
        self._round()

    def _round(self) -> None:
        """Round the kernels to the 8 bits of their export.

        The heads then start on the features of the exported base: rounding later moved the
        embeddings of 139 species to a cosine of 0.993 (docs/decisions/0012-fine-tuning.md).
        """
        for weight in self.model.trainable_variables:
            if len(weight.shape) > 1:
                levels, scale = quantise_kernel(weight.numpy())
                weight.assign(levels * scale)


class _TailFitter:
    """Fits a tail by hard triplets and a normalised softmax, with a temporary head.

    The head is a projection to the embedding space, and one proxy for each species.
    """

    def __init__(self, tail: Tail, tuning: Tuning, split: Split) -> None:
        """Start the head from the discriminant of the packaged features."""
        self._model, self._tuning, self._images = tail.model, tuning, split.images
        species, self._classes = np.unique(split.image_labels, return_inverse=True)
        self._groups = [np.flatnonzero(self._classes == row) for row in range(len(species))]
        features = np.stack([entry.load() for entry in tail.pool(split.images)])
        self._kernel, self._bias = (
            tf.Variable(part)
            for part in weighted_discriminant(features, self._classes, IMAGE_PEAK_WEIGHT)
        )
        vectors = unit(features @ self._kernel.numpy() + self._bias.numpy())
        self._proxies = tf.Variable(
            unit(np.stack([vectors[own].mean(axis=0) for own in self._groups]))
        )
        batch = tuning.species_per_batch * tuning.samples_per_species
        self._steps = -(-len(split.images) // batch)
        self._weights = [
            self._model.trainable_variables,
            [self._kernel, self._bias, self._proxies],
        ]
        self._optimizers = [self._optimizer(rate) for rate in (1, HEAD_RATE)]
        for optimizer, weights in zip(self._optimizers, self._weights, strict=True):
            optimizer.build(weights)
        self._step = tf.function(self._train_step, reduce_retracing=True)

    def _optimizer(self, rate: int) -> keras.optimizers.Optimizer:
        steps = self._steps * self._tuning.epochs
        schedule = keras.optimizers.schedules.CosineDecay(rate * self._tuning.learning_rate, steps)
        return keras.optimizers.Adam(schedule)

    def run_epoch(self, epoch: int, rng: np.random.Generator) -> EpochMetrics:
        """Train on as many batches as cover the photographs once; epochs count from 0."""
        batches = []
        for _ in range(self._steps):
            rows = _draw(self._groups, self._tuning, rng)
            views = [int(rng.integers(self._tuning.views + 1)) for _ in rows]
            maps = np.stack(
                [self._images[row].load_view(view) for row, view in zip(rows, views, strict=True)]
            )
            measured = self._step(
                tf.constant(maps), tf.constant(rows), tf.constant(self._classes[rows])
            )
            batches.append({name: float(value) for name, value in measured.items()})
        return EpochMetrics.mean_of(epoch + 1, batches)

    def _train_step(
        self, maps: tf.Tensor, rows: tf.Tensor, classes: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        tuning = self._tuning
        with tf.GradientTape() as tape:
            projected = self._model(maps, training=True) @ self._kernel + self._bias
            embedded = tf.math.l2_normalize(projected, 1)
            cosine = embedded @ tf.transpose(tf.math.l2_normalize(self._proxies, 1))
            softmax = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(classes, cosine / tuning.temperature)
            )
            measured = triplet_loss(embedded, *pair_masks(classes, rows), tuning.margin, "hard")
            loss = softmax + measured["loss"]
        gradients = tape.gradient(loss, self._weights)
        for optimizer, found, weights in zip(
            self._optimizers, gradients, self._weights, strict=True
        ):
            optimizer.apply(found, weights)
        spread = tf.norm(embedded - tf.reduce_mean(embedded, 0, keepdims=True), axis=1)
        return {**measured, "spread": tf.reduce_mean(spread)}


def tuned_tail(
    backbone: Backbone, split: Split, seed: int, path: Path, on_epoch: TuneEpoch
) -> Tail | None:
    """Fine-tune a base's tail and save its weights, or load saved weights.

    Args:
        backbone: A base; for one that is not fine-tuned, the function returns None.
        split: Photographs with cached views; recordings are not used.
        seed: Seed of the batches.
        path: The file of the weights; if it exists, an interrupted run has written it.
        on_epoch: Called after each epoch.
    """
    if backbone.tuning is None:
        return None
    tail = Tail(backbone, backbone.tuning)
    if path.exists():
        tail.model.set_weights(load_tail(path))
        return tail
    keras.utils.set_random_seed(seed)
    tail.tune(split, seed, on_epoch)
    weights = enumerate(tail.model.get_weights())
    atomic.write_file(path, dump_arrays({f"weight{row:03d}": weight for row, weight in weights}))
    return tail


def pool_images(tail: Tail | None, images: Sequence[Feature], views: int = 0) -> Sequence[Feature]:
    """Pool photographs with a fine-tuned tail; without one, return them unchanged."""
    return images if tail is None else tail.pool(images, views)


def load_tail(path: Path) -> list[NDArray[np.float32]]:
    """Read the weights of a fine-tuned tail, in the order of its layers."""
    with np.load(path, allow_pickle=False) as arrays:
        return [arrays[name] for name in sorted(arrays.files)]


def _draw(
    groups: Sequence[NDArray[np.intp]], tuning: Tuning, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the rows of one batch: photographs of several species."""
    count = tuning.samples_per_species
    chosen = rng.choice(len(groups), min(tuning.species_per_batch, len(groups)), replace=False)
    return np.concatenate(
        [rng.choice(groups[row], count, replace=len(groups[row]) < count) for row in chosen]
    ).astype(np.int64)
