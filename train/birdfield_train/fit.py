"""Fit: trains the heads on one split with triplets mined in each batch, and saves each epoch."""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from birdfield import atomic
from birdfield.arrays import dump_arrays
from birdfield.signals.windows import AudioSpec
from birdfield_train.batches import Batch, BatchMaker
from birdfield_train.heads import Heads
from birdfield_train.history import EpochMetrics
from birdfield_train.losses import pair_masks, triplet_loss
from birdfield_train.samples import Split

COLLAPSE_SPREAD = 0.05  # mean distance of the embeddings from their mean
COLLAPSE_LOSS = 1e-3  # distance of the loss from the margin
COLLAPSE_ACTIVE = 0.99  # share of active triplets

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FitConfig:
    """The options of a fit.

    Attributes:
        margin: Of the triplet loss, in cosine.
        species_per_batch: Species in a batch.
        samples_per_species: Samples of each species in a batch.
        steps: Batches per epoch.
        semi_hard_epochs: Epochs with semi-hard mining; hard mining follows.
        learning_rate: Of Adam.
        image_rate: Learning rate of the image head, as a share of `learning_rate`; from
            `Backbone.head_rate`.
    """

    margin: float = 0.1
    species_per_batch: int = 16
    samples_per_species: int = 4
    steps: int = 20
    semi_hard_epochs: int = 2
    learning_rate: float = 3e-5
    image_rate: float = 1.0


@dataclass(frozen=True)
class FitSetup:
    """What the heads are built and trained with.

    Attributes:
        channels: Channels of the base's last maps.
        audio: Spec of the frontend.
        config: The options of the fit.
        seed: Seed of the initial weights and of the batches.
    """

    channels: int
    audio: AudioSpec
    config: FitConfig
    seed: int


EpochEnd = Callable[[Heads, EpochMetrics], None]


class Fitter:
    """Trains the heads on one split; a checkpoint after each epoch lets a later fitter continue."""

    def __init__(self, split: Split, setup: FitSetup, checkpoint: Path | None = None) -> None:
        """Start from the checkpoint if it exists, else from the discriminant projections."""
        self._config, self._seed = setup.config, setup.seed
        self._checkpoint = checkpoint
        self._maker = BatchMaker(
            split,
            setup.config.species_per_batch,
            setup.config.samples_per_species,
            setup.channels,
            setup.audio,
        )
        keras.utils.set_random_seed(setup.seed)
        self.heads = Heads(setup.channels, setup.audio)
        self._optimize_heads(setup.config)
        self.epoch = 0
        self.history: list[EpochMetrics] = []
        self._steps = {
            mining: tf.function(
                lambda *batch, mining=mining: self._step(mining, *batch), reduce_retracing=True
            )
            for mining in ("semi-hard", "hard")
        }
        if checkpoint is not None and checkpoint.exists():
            self._load(checkpoint)
        else:
            self.heads.start(split)

    def _optimize_heads(self, config: FitConfig) -> None:
        """Create an optimizer for the image head and one for all other weights."""
        image = self.heads.image.trainable_variables
        self._groups = [image, self.heads.trainable[len(image) :]]
        self._optimizers = [
            keras.optimizers.Adam(rate)
            for rate in (config.image_rate * config.learning_rate, config.learning_rate)
        ]
        for optimizer, weights in zip(self._optimizers, self._groups, strict=True):
            optimizer.build(weights)

    def run(self, epochs: int, on_epoch: EpochEnd) -> None:
        """Train until the given number of epochs is complete.

        Args:
            epochs: The number, including epochs that are complete already.
            on_epoch: Called with the heads and the metrics after each new epoch.
        """
        while self.epoch < epochs:
            metrics = self._run_epoch()
            self.history.append(metrics)
            self.epoch += 1
            if self._checkpoint is not None:
                self._save(self._checkpoint)
            on_epoch(self.heads, metrics)

    def _run_epoch(self) -> EpochMetrics:
        rng = np.random.default_rng([self._seed, self.epoch])
        step = self._steps["semi-hard" if self.epoch < self._config.semi_hard_epochs else "hard"]
        batches = [
            {name: float(value) for name, value in step(*_tensors(self._maker.draw(rng))).items()}
            for _ in range(self._config.steps)
        ]
        metrics = EpochMetrics.mean_of(self.epoch + 1, batches)
        _warn_of_collapse(metrics, self._config.margin)
        return metrics

    def _step(
        self,
        mining: str,
        pooled: tf.Tensor,
        sequences: tf.Tensor,
        presence: tf.Tensor,
        labels: tf.Tensor,
        recordings: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Train on one batch, given as the arrays of `Batch`; return its metrics."""
        positives, negatives = pair_masks(labels, recordings)
        with tf.GradientTape() as tape:
            embeddings = self.heads(pooled, sequences, presence)
            measured = triplet_loss(embeddings, positives, negatives, self._config.margin, mining)
        found = tape.gradient(measured["loss"], self._groups)
        for optimizer, gradients, weights in zip(
            self._optimizers, found, self._groups, strict=True
        ):
            optimizer.apply(gradients, weights)
        centre = tf.reduce_mean(embeddings, axis=0, keepdims=True)
        return {**measured, "spread": tf.reduce_mean(tf.norm(embeddings - centre, axis=1))}

    def save_weights(self, path: Path) -> None:
        """Write the weights of the heads alone, for `load_heads`."""
        atomic.write_file(path, dump_arrays(self._weight_arrays()))

    def _weight_arrays(self) -> dict[str, NDArray[np.generic]]:
        return {f"weight{row:03d}": value for row, value in enumerate(self.heads.get_weights())}

    def _optimizer_state(self) -> list[keras.Variable]:
        return [value for optimizer in self._optimizers for value in optimizer.variables]

    def _save(self, path: Path) -> None:
        """Write a checkpoint: the weights, the optimizers' state and the history."""
        arrays = self._weight_arrays()
        arrays |= {
            f"optimizer{row:03d}": np.asarray(value)
            for row, value in enumerate(self._optimizer_state())
        }
        state = json.dumps(
            {
                "epoch": self.epoch,
                "history": [asdict(metrics) for metrics in self.history],
                "config": asdict(self._config),
                "seed": self._seed,
            }
        )
        arrays["state"] = np.frombuffer(state.encode(), np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_file(path, dump_arrays(arrays))

    def _load(self, path: Path) -> None:
        """Continue from a checkpoint."""
        with np.load(path, allow_pickle=False) as arrays:
            state = json.loads(arrays["state"].tobytes())
            self.heads.set_weights(_ordered(arrays, "weight"))
            for variable, value in zip(
                self._optimizer_state(), _ordered(arrays, "optimizer"), strict=True
            ):
                variable.assign(value)
        self.epoch = int(state["epoch"])
        self.history = [EpochMetrics(**row) for row in state["history"]]


def load_heads(path: Path, channels: int, audio: AudioSpec) -> Heads:
    """Read the heads that `Fitter.save_weights` wrote."""
    heads = Heads(channels, audio)
    with np.load(path, allow_pickle=False) as arrays:
        heads.set_weights(_ordered(arrays, "weight"))
    return heads


def _ordered(arrays: NpzFile, prefix: str) -> list[NDArray[np.float32]]:
    return [arrays[name] for name in sorted(arrays.files) if name.startswith(prefix)]


def _tensors(batch: Batch) -> list[tf.Tensor]:
    return [
        tf.constant(value)
        for value in (batch.pooled, batch.sequences, batch.presence, batch.labels, batch.recordings)
    ]


def _warn_of_collapse(metrics: EpochMetrics, margin: float) -> None:
    """Log a warning when the embeddings of all samples approach one point."""
    at_margin = abs(metrics.loss - margin) < COLLAPSE_LOSS and metrics.active > COLLAPSE_ACTIVE
    if at_margin or metrics.spread < COLLAPSE_SPREAD:
        log.warning(
            "the embeddings collapse to one point: loss %.4f at margin %g, spread %.4f; "
            "lower the learning rate or check the data",
            metrics.loss,
            margin,
            metrics.spread,
        )
