"""Fitting the heads of one split by batch-mined triplets, checkpointed after each epoch."""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from birdfield import atomic
from birdfield.arrays import dump_arrays
from birdfield.signals.windows import AudioSpec
from birdfield_train.batches import Batch, BatchMaker
from birdfield_train.heads import Heads, Split
from birdfield_train.losses import pair_masks, triplet_loss

COLLAPSE_SPREAD = 0.05  # mean distance of embeddings from their mean; 0 when all are equal

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FitConfig:
    """How the heads are trained.

    Attributes:
        margin: Of the triplet loss, in cosine.
        species_per_batch: P.
        samples_per_species: K.
        steps: Batches in an epoch.
        semi_hard_epochs: Epochs of semi-hard mining before hard mining.
        learning_rate: Of Adam.
        image_rate: Share of it that the image's projection learns by, `Backbone.head_rate`.
    """

    margin: float = 0.1
    species_per_batch: int = 16
    samples_per_species: int = 4
    steps: int = 20
    semi_hard_epochs: int = 2
    learning_rate: float = 3e-5
    image_rate: float = 1.0


EpochEnd = Callable[[int, Heads, dict[str, float]], None]


class Fitter:
    """Trains one set of heads; its state after each epoch can be saved and taken up again."""

    def __init__(
        self,
        split: Split,
        channels: int,
        audio: AudioSpec,
        config: FitConfig,
        seed: int,
        checkpoint: Path | None = None,
    ) -> None:
        """Start from the discriminant projections, or from the checkpoint where it exists."""
        self._config = config
        self._seed = seed
        self._checkpoint = checkpoint
        self._maker = BatchMaker(
            split, config.species_per_batch, config.samples_per_species, channels, audio
        )
        keras.utils.set_random_seed(seed)
        self.heads = Heads(channels, audio)
        sight = self.heads.image.trainable_variables
        self._groups = [sight, self.heads.trainable[len(sight) :]]
        self._optimizers = [
            keras.optimizers.Adam(rate)
            for rate in (config.image_rate * config.learning_rate, config.learning_rate)
        ]
        for optimizer, weights in zip(self._optimizers, self._groups, strict=True):
            optimizer.build(weights)
        self.epoch = 0
        self.history: list[dict[str, float]] = []
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

    def run(self, epochs: int, on_epoch: EpochEnd) -> None:
        """Train until so many epochs are done; on_epoch is told after each new one."""
        while self.epoch < epochs:
            row = self._run_epoch()
            self.history.append(row)
            self.epoch += 1
            if self._checkpoint is not None:
                self._save(self._checkpoint)
            on_epoch(self.epoch, self.heads, row)

    def _run_epoch(self) -> dict[str, float]:
        rng = np.random.default_rng([self._seed, self.epoch])
        mining = "semi-hard" if self.epoch < self._config.semi_hard_epochs else "hard"
        totals: dict[str, list[float]] = {}
        for _ in range(self._config.steps):
            batch = self._maker.draw(rng)
            for name, value in self._steps[mining](*_tensors(batch)).items():
                totals.setdefault(name, []).append(float(value))
        row = {name: float(np.mean(values)) for name, values in totals.items()}
        _alarm(row, self._config.margin)
        return {"epoch": self.epoch + 1, **row}

    def _step(
        self,
        mining: str,
        pooled: tf.Tensor,
        sequences: tf.Tensor,
        presence: tf.Tensor,
        labels: tf.Tensor,
        recordings: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
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
        """Write the heads' weights alone, for `load_heads`."""
        atomic.write_file(path, dump_arrays(self._weight_arrays()))

    def _weight_arrays(self) -> dict[str, NDArray[Any]]:
        return {f"weight{row:03d}": value for row, value in enumerate(self.heads.get_weights())}

    def _optimizer_state(self) -> list[keras.Variable]:
        return [value for optimizer in self._optimizers for value in optimizer.variables]

    def _save(self, path: Path) -> None:
        arrays = self._weight_arrays()
        arrays |= {
            f"optimizer{row:03d}": np.asarray(value)
            for row, value in enumerate(self._optimizer_state())
        }
        state = json.dumps(
            {
                "epoch": self.epoch,
                "history": self.history,
                "config": asdict(self._config),
                "seed": self._seed,
            }
        )
        arrays["state"] = np.frombuffer(state.encode(), np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_file(path, dump_arrays(arrays))

    def _load(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as arrays:
            state: dict[str, Any] = json.loads(arrays["state"].tobytes())
            self.heads.set_weights(_ordered(arrays, "weight"))
            for variable, value in zip(
                self._optimizer_state(), _ordered(arrays, "optimizer"), strict=True
            ):
                variable.assign(value)
        self.epoch, self.history = state["epoch"], state["history"]


def load_heads(path: Path, channels: int, audio: AudioSpec) -> Heads:
    """Read the heads that `Fitter.save_weights` wrote."""
    heads = Heads(channels, audio)
    with np.load(path, allow_pickle=False) as arrays:
        heads.set_weights(_ordered(arrays, "weight"))
    return heads


def _ordered(arrays: Any, prefix: str) -> list[NDArray[np.float32]]:
    return [arrays[name] for name in sorted(arrays.files) if name.startswith(prefix)]


def _tensors(batch: Batch) -> list[tf.Tensor]:
    return [
        tf.constant(value)
        for value in (batch.pooled, batch.sequences, batch.presence, batch.labels, batch.recordings)
    ]


def _alarm(row: dict[str, float], margin: float) -> None:
    collapsed = abs(row["loss"] - margin) < 1e-3 and row["active"] > 0.99
    if collapsed or row["spread"] < COLLAPSE_SPREAD:
        log.warning(
            "the embedding is collapsing: loss %.4f at margin %g, spread %.4f; "
            "lower the learning rate or check the data",
            row["loss"],
            margin,
            row["spread"],
        )
