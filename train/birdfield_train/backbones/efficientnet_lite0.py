"""EfficientNet-Lite0: its convolutional base (Tan and Le, arXiv 1905.11946), ImageNet weights.

The Lite variant quantises well, because it has ReLU6 instead of swish and no
squeeze-and-excitation. Batch normalisation is folded into the convolutions, as the base computes
fixed features. Its last stage can be fine-tuned on two cores: it has 140 of 400 million
multiply-adds.
"""

from pathlib import Path
from typing import NamedTuple

import keras
import tensorflow as tf

from birdfield.errors import UsageError
from birdfield.signals.image import ImageSpec
from birdfield_train.backbones import Backbone, Tuning
from birdfield_train.packed_weights import load_packed

PACKED = Path(__file__).parents[1] / "weights" / "efficientnet_lite0_imagenet_int8.npz"
PACKED_SHA256 = "e74abfacd9876cf9e3015588bdde965ea58822aed8c1230f9f446d7713b0b53e"
SPEC = ImageSpec(size_px=224, order="RGB", mean=(127.0, 127.0, 127.0), scale=128.0)
CHANNELS = 1280
LICENCE = "EfficientNet-Lite0 ImageNet weights: Google, Apache-2.0"
TUNING = Tuning("block10_add", views=8, epochs=8, learning_rate=2e-4)  # maps [14, 14, 112]
STEM_CHANNELS = 32


class Stage(NamedTuple):
    """A row of equal blocks; the stride is that of the first block."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def backbone(weights: Path | None = None) -> Backbone:
    """Describe the base.

    Raises:
        UsageError: When other weights are given, because the base has packaged weights only.
    """
    if weights is not None:
        raise UsageError(
            "efficientnet-lite0 has packaged image weights only; "
            "leave out the file of weights or choose vgg16"
        )
    return Backbone(
        "efficientnet-lite0",
        SPEC,
        CHANNELS,
        _build,
        LICENCE,
        f"efficientnet-lite0-{PACKED_SHA256[:16]}",
        TUNING,
    )


def _build() -> keras.Model:
    base = architecture()
    base.set_weights(load_packed(PACKED, PACKED_SHA256))
    return base


def architecture() -> keras.Model:
    """Build the base with fresh weights: [B, 224, 224, 3] -> [B, 7, 7, 1280]."""
    image = keras.Input((SPEC.size_px, SPEC.size_px, 3), name="image")
    maps = _convolve(image, STEM_CHANNELS, 3, 2, "stem")
    number = 0
    for stage in STAGES:
        for repeat in range(stage.repeats):
            maps = _block(maps, stage if repeat == 0 else stage._replace(stride=1), number)
            number += 1
    return keras.Model(image, _convolve(maps, CHANNELS, 1, 1, "head"), name="efficientnet_lite0")


def _block(maps: tf.Tensor, stage: Stage, number: int) -> tf.Tensor:
    """Add an inverted residual block (MobileNetV2, arXiv 1801.04381, 3.3)."""
    name, channels, inner = f"block{number}", int(maps.shape[-1]), maps
    if stage.expansion > 1:
        inner = _convolve(inner, channels * stage.expansion, 1, 1, f"{name}_expand")
    inner = keras.layers.DepthwiseConv2D(
        stage.kernel, stage.stride, padding="same", name=f"{name}_depthwise"
    )(inner)
    inner = keras.layers.ReLU(6.0, name=f"{name}_depthwise_relu")(inner)
    inner = keras.layers.Conv2D(stage.channels, 1, name=f"{name}_project")(inner)
    if stage.stride == 1 and channels == stage.channels:
        inner = keras.layers.Add(name=f"{name}_add")([maps, inner])
    return inner


def _convolve(maps: tf.Tensor, channels: int, kernel: int, stride: int, name: str) -> tf.Tensor:
    """Add a convolution with ReLU6."""
    maps = keras.layers.Conv2D(channels, kernel, stride, padding="same", name=name)(maps)
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(maps)
