"""Fine-tuning the last stage of a convolutional base on the photographs of one split.

The base's own features are fitted to the species first, over several views of every photograph;
the heads then start on what the tuned base makes of the plain photographs.
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
from birdfield_train.losses import pair_masks, triplet_loss
from birdfield_train.packed_weights import quantise_kernel
from birdfield_train.towers import pool_features

CHUNK = 64  # photographs at a time
POOLED_VIEWS = 3  # of a training photograph that the projection starts on, beside the plain one

TuneEpoch = Callable[[int, int, dict[str, float]], None]


class Tail:
    """The last stage of a base: from cached maps to pooled features."""

    def __init__(self, backbone: Backbone, tuning: Tuning) -> None:
        """Make it with the packaged weights."""
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
        """Run it over the plain view of photographs and so many others.

        `load` and `load_pooled` then give the tuned features.
        """
        pooled: list[Feature] = []
        for start in range(0, len(images), CHUNK):
            some = images[start : start + CHUNK]
            looks = [
                self._forward(
                    tf.constant(np.stack([feature.load_view(view) for feature in some]))
                ).numpy()
                for view in range(views + 1)
            ]
            pooled += [
                replace(feature, tuned=values)
                for feature, values in zip(some, np.stack(looks, axis=1), strict=True)
            ]
        return pooled

    def tune(
        self, images: Sequence[Feature], labels: NDArray[np.int64], seed: int, on_epoch: TuneEpoch
    ) -> None:
        """Fit it to the species of these photographs, by hard triplets and a normalised softmax.

        Args:
            images: Photographs with their cached views.
            labels: int64 [N], species; with fewer than two of them there is nothing to fit.
            seed: Of the batches.
            on_epoch: Told after each epoch.
        """
        config = self._tuning
        species, classes = np.unique(labels, return_inverse=True)
        if len(species) < 2:
            return
        features = np.stack([entry.load() for entry in self.pool(images)])
        kernel, bias = (
            tf.Variable(part)
            for part in weighted_discriminant(features, classes, IMAGE_PEAK_WEIGHT)
        )
        vectors = unit(features @ kernel.numpy() + bias.numpy())
        proxies = tf.Variable(
            unit(np.stack([vectors[classes == row].mean(axis=0) for row in range(len(species))]))
        )
        base, head = self.model.trainable_variables, [kernel, bias, proxies]
        steps = -(-len(images) // (config.species_per_batch * config.samples_per_species))
        optimizers = [
            keras.optimizers.Adam(
                keras.optimizers.schedules.CosineDecay(
                    rate * config.learning_rate, steps * config.epochs
                )
            )
            for rate in (1, 3)
        ]
        optimizers[0].build(base)
        optimizers[1].build(head)

        @tf.function(reduce_retracing=True)
        def step(maps: tf.Tensor, rows: tf.Tensor, owners: tf.Tensor) -> dict[str, tf.Tensor]:
            with tf.GradientTape() as tape:
                embedded = tf.math.l2_normalize(self.model(maps, training=True) @ kernel + bias, 1)
                cosine = embedded @ tf.transpose(tf.math.l2_normalize(proxies, 1))
                softmax = tf.reduce_mean(
                    tf.nn.sparse_softmax_cross_entropy_with_logits(
                        owners, cosine / config.temperature
                    )
                )
                measured = triplet_loss(embedded, *pair_masks(owners, rows), config.margin, "hard")
                loss = softmax + measured["loss"]
            gradients = tape.gradient(loss, base + head)
            optimizers[0].apply(gradients[: len(base)], base)
            optimizers[1].apply(gradients[len(base) :], head)
            spread = tf.norm(embedded - tf.reduce_mean(embedded, 0, keepdims=True), axis=1)
            return {**measured, "spread": tf.reduce_mean(spread)}

        groups = [np.flatnonzero(classes == row) for row in range(len(species))]
        for epoch in range(config.epochs):
            rng = np.random.default_rng([seed, epoch])
            totals: dict[str, list[float]] = {}
            for _ in range(steps):
                rows = _draw(groups, config, rng)
                maps = np.stack(
                    [images[row].load_view(int(rng.integers(config.views + 1))) for row in rows]
                )
                for name, value in step(
                    tf.constant(maps), tf.constant(rows), tf.constant(classes[rows])
                ).items():
                    totals.setdefault(name, []).append(float(value))
            on_epoch(
                epoch + 1,
                config.epochs,
                {
                    "epoch": epoch + 1,
                    **{name: float(np.mean(values)) for name, values in totals.items()},
                },
            )
        self._round()

    def _round(self) -> None:
        """Round the kernels to the 8 bits that they are exported at.

        The heads then start on what will be there: rounding afterwards moved the embeddings of
        139 species to a cosine of 0.993 (docs/decisions/0012-fine-tuning.md).
        """
        for weight in self.model.trainable_variables:
            if len(weight.shape) > 1:
                levels, scale = quantise_kernel(weight.numpy())
                weight.assign(levels * scale)


def tuned_tail(
    backbone: Backbone,
    images: Sequence[Feature],
    labels: NDArray[np.int64],
    seed: int,
    path: Path,
    on_epoch: TuneEpoch,
) -> Tail | None:
    """Fine-tune a base's tail and keep its weights in a file, or take them from there.

    Args:
        backbone: One without tuning is frozen, and None is returned.
        images: Photographs with their cached views.
        labels: int64 [N], species.
        seed: Of the batches.
        path: For the weights; a file that exists is what an interrupted run left.
        on_epoch: Told after each epoch.
    """
    if backbone.tuning is None:
        return None
    tail = Tail(backbone, backbone.tuning)
    if path.exists():
        tail.model.set_weights(load_tail(path))
        return tail
    keras.utils.set_random_seed(seed)
    tail.tune(images, labels, seed, on_epoch)
    weights = enumerate(tail.model.get_weights())
    atomic.write_file(path, dump_arrays({f"weight{row:03d}": weight for row, weight in weights}))
    return tail


def pool_images(tail: Tail | None, images: Sequence[Feature], views: int = 0) -> Sequence[Feature]:
    """Run a tuned tail over photographs; without one they are what the frozen base made."""
    return images if tail is None else tail.pool(images, views)


def load_tail(path: Path) -> list[NDArray[np.float32]]:
    """Read a tuned tail's weights, in the order of its layers."""
    with np.load(path, allow_pickle=False) as arrays:
        return [arrays[name] for name in sorted(arrays.files)]


def _draw(
    groups: Sequence[NDArray[np.intp]], config: Tuning, rng: np.random.Generator
) -> NDArray[np.int64]:
    count = config.samples_per_species
    chosen = rng.choice(len(groups), min(config.species_per_batch, len(groups)), replace=False)
    return np.concatenate(
        [rng.choice(groups[row], count, replace=len(groups[row]) < count) for row in chosen]
    ).astype(np.int64)
