"""EfficientNet-Lite0's convolutional base (Tan and Le, arXiv 1905.11946), ImageNet weights.

The Lite variant has no squeeze-and-excitation and ReLU6 in place of swish, so that it quantises
well. Batch normalisation is folded into the convolutions: the base is for frozen features and for
export, and has nothing to normalise by.
Its last stage is light enough to be fine-tuned on two cores: 140 of 400 million multiply-adds.
"""

from pathlib import Path

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
STEM = 32  # channels
# Repeats, kernel, stride of the first, expansion, output channels of each stage.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def backbone(weights: Path | None = None) -> Backbone:
    """Describe the base.

    Raises:
        UsageError: When other weights are given: only the packaged ones are known.
    """
    if weights is not None:
        raise UsageError(
            "--image-weights goes with the vgg16 backbone; leave it out for efficientnet-lite0"
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
    """Make the base with fresh weights: [B, 224, 224, 3] -> [B, 7, 7, 1280]."""
    image = keras.Input((SPEC.size_px, SPEC.size_px, 3), name="image")
    maps = _convolve(image, STEM, 3, 2, "stem")
    channels, block = STEM, 0
    for repeats, kernel, stride, expansion, out in STAGES:
        for repeat in range(repeats):
            maps = _block(
                maps,
                channels,
                out,
                kernel,
                stride if repeat == 0 else 1,
                expansion,
                f"block{block}",
            )
            channels, block = out, block + 1
    return keras.Model(image, _convolve(maps, CHANNELS, 1, 1, "head"), name="efficientnet_lite0")


def _block(
    maps: tf.Tensor, channels: int, out: int, kernel: int, stride: int, expansion: int, name: str
) -> tf.Tensor:
    """Inverted residual block (MobileNetV2, arXiv 1801.04381, 3.3)."""
    inner = maps
    if expansion > 1:
        inner = _convolve(inner, channels * expansion, 1, 1, f"{name}_expand")
    inner = keras.layers.DepthwiseConv2D(kernel, stride, padding="same", name=f"{name}_depthwise")(
        inner
    )
    inner = keras.layers.ReLU(6.0, name=f"{name}_depthwise_relu")(inner)
    inner = keras.layers.Conv2D(out, 1, name=f"{name}_project")(inner)
    if stride == 1 and channels == out:
        inner = keras.layers.Add(name=f"{name}_add")([maps, inner])
    return inner


def _convolve(maps: tf.Tensor, channels: int, kernel: int, stride: int, name: str) -> tf.Tensor:
    maps = keras.layers.Conv2D(channels, kernel, stride, padding="same", name=name)(maps)
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(maps)
