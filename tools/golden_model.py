"""A tiny bundle of the toy aviary for `tools/make_golden.py`: real towers of 0.1.0, 0.4 MB.

The convolutional base is two small convolutions with fixed weights, and the audio tower's
projections are of low rank: YAMNet gives 5,120 numbers a patch, and full ones take 2 MB.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from birdfield.encoder import DIM
from birdfield.image import ImageSpec
from birdfield_export import pack
from birdfield_export.convert import convert_here
from birdfield_train import calibration_data, crossval, nothing, run, run_encoder, towers
from birdfield_train.backbones import Backbone
from birdfield_train.fit import FitConfig
from birdfield_train.run import Reporter, TrainConfig
from birdfield_train.run_encoder import Run

SPEC = ImageSpec(64, "RGB", (120.0, 120.0, 110.0), 60.0)
CHANNELS = (16, 64)
RANK = 16
UNITS = 8  # of the LSTM, each way, and of what it reads
PICTURES = 12  # of each species, that calibrate


def build_base() -> keras.Model:
    """Make a base of two convolutions whose weights are always the same."""
    image = maps = keras.Input((SPEC.size_px, SPEC.size_px, 3))
    for channels in CHANNELS:
        maps = keras.layers.Conv2D(channels, 3, strides=2, activation="relu")(maps)
    base = keras.Model(image, maps)
    rng = np.random.default_rng(1)
    base.set_weights([rng.normal(size=weight.shape) / np.sqrt(max(1, weight[..., 0].size))
                      if weight.ndim > 1 else np.zeros(weight.shape)
                      for weight in base.get_weights()])
    return base


def golden_backbone(name: str, weights: Path | None = None) -> Backbone:
    """Stand in for `get_backbone`."""
    return Backbone(name, SPEC, CHANNELS[-1], build_base, "golden base: made up", "golden")


class Narrow(keras.layers.Layer):  # type: ignore[misc]  # Keras carries no types
    """A dense layer whose kernel is the product of two small ones."""

    def __init__(self, use_bias: bool, **kwargs: Any) -> None:
        """Make it with or without a bias."""
        super().__init__(**kwargs)
        self._use_bias = use_bias

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        self.down = self.add_weight(shape=(shape[-1], RANK), name="down")
        self.up = self.add_weight(shape=(RANK, DIM), name="up")
        self.bias = self.add_weight(shape=(DIM,), initializer="zeros", name="bias",
                                    trainable=self._use_bias)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Project [B, C] to [B, 128]."""
        return tf.matmul(tf.matmul(inputs, self.down), self.up) + self.bias

    def set_weights(self, weights: list[NDArray[np.float32]]) -> None:
        """Take the nearest kernel of this rank to a full one, and the bias."""
        left, sizes, right = np.linalg.svd(weights[0], full_matrices=False)
        root = np.sqrt(sizes[:RANK])
        self.down.assign(left[:, :RANK] * root)
        self.up.assign(root[:, None] * right[:RANK])
        if self._use_bias:
            self.bias.assign(weights[1])


def narrowed(project: Any) -> Any:
    """Wrap `towers._project`: the audio tower's is of low rank."""
    def build(mean: tf.Tensor, peak: tf.Tensor, sense: str, units: int = DIM) -> tf.Tensor:
        if sense != "audio":
            return project(mean, peak, sense, units)
        return keras.layers.Add(name=f"{sense}_summary")([
            Narrow(True, name=f"{sense}_mean_projection")(mean),
            Narrow(False, name=f"{sense}_peak_projection")(peak)])
    return build


def make_bundle(data: Path, out: Path) -> None:
    """Train on `data/images` and `data/audio`, and export to NAME.birdfield."""
    folder = out.parent / "run"
    shutil.rmtree(folder, ignore_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        for module in (run, run_encoder):
            patch.setattr(module, "get_backbone", golden_backbone)
        patch.setattr(crossval, "FOLDS", 2)
        patch.setattr(crossval, "EPOCH_GRID", (1, 2))
        patch.setattr(nothing, "COUNT", 12)
        patch.setattr(calibration_data, "PICTURES", PICTURES)
        patch.setattr(towers, "FRAME_UNITS", UNITS)
        patch.setattr(towers, "LSTM_UNITS", UNITS)
        patch.setattr(towers, "_project", narrowed(towers._project))
        patch.setattr(pack, "convert", convert_in_place)
        tf.config.run_functions_eagerly(True)
        run.train(TrainConfig(data / "images", data / "audio", folder,
                              names=data / "names.csv", licence="made up: CC0-1.0",
                              fit=FitConfig(steps=1)),
                  Reporter(lambda *_: None, lambda *_: None, print), force=True)
        tf.config.run_functions_eagerly(False)
        pack.export(folder, out, force=True, say=print)


def convert_in_place(folder: Path, precisions: Mapping[str, str], out: Path) -> None:
    """Stand in for `convert`, whose process knows nothing of this base."""
    for tower, precision in precisions.items():
        (out / f"{tower}.tflite").write_bytes(convert_here(Run(folder), tower, precision))
