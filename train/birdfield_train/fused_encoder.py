"""Fused encoder: the network from a photograph, a recording, or both to one unit vector."""

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from birdfield.model.audio_specs import YAMNET
from birdfield.model.encoder import DIM
from birdfield.model.sense import Sense
from birdfield_train.backbones import Backbone, get_backbone
from birdfield_train.towers import audio_tower, fusion_tower, image_head, pool_features


def create_fused_encoder(
    image_backbone: str = "vgg16",
    frames: int | None = YAMNET.patches_per_window,
    trainable_from: str | None = "block5_conv1",
    dim: int = YAMNET.dim,
) -> keras.Model:
    """Build the whole network, with the packaged ImageNet weights in its convolutional base.

    Args:
        image_backbone: A name in `birdfield_train.backbones.BACKBONES`.
        frames: Patches in a window of sound; None for any number.
        trainable_from: The first layer of the base that may be fine-tuned; None for none.
        dim: Numbers in the embedding of a patch.

    Returns:
        A model of {"image": [B, 224, 224, 3] (preprocessed, see `birdfield.signals.image`),
        "audio": [B, frames, dim], "presence": [B, 2] (1 or 0)} to unit vectors [B, 128].

    Raises:
        UsageError: When there is no backbone of that name.
    """
    backbone = get_backbone(image_backbone)
    size = backbone.spec.size_px
    image = keras.Input((size, size, 3), name=Sense.IMAGE)
    audio = keras.Input((frames, dim), name=Sense.AUDIO)
    presence = keras.Input((2,), name="presence")
    head = image_head(backbone.channels)
    tower = image_tower(backbone, head, trainable_from)
    normalise = keras.layers.UnitNormalization
    fused = fusion_tower()(
        [
            normalise(name="image_unit")(tower(image)),
            normalise(name="audio_unit")(audio_tower(frames, dim)(audio)),
            presence,
        ]
    )
    return keras.Model(
        {Sense.IMAGE: image, Sense.AUDIO: audio, "presence": presence},
        normalise(name="embedding")(fused),
        name=f"fused_encoder_{DIM}d",
    )


def image_tower(
    backbone: Backbone,
    head: keras.Model,
    trainable_from: str | None = None,
    tail: Sequence[NDArray[np.float32]] | None = None,
) -> keras.Model:
    """Join a convolutional base, the pooling and the head: [B, 224, 224, 3] -> [B, 128].

    Args:
        backbone: The base.
        head: From `towers.image_head`.
        trainable_from: The first layer of the base that may be fine-tuned; None for none.
        tail: Weights of the base's fine-tuned last stage, or None.
    """
    base = backbone.build()
    if tail is not None and backbone.tuning is not None:
        keras.Model(base.get_layer(backbone.tuning.after).output, base.output).set_weights(tail)
    frozen = True
    for layer in base.layers:
        frozen = frozen and layer.name != trainable_from
        layer.trainable = not frozen
    return keras.Model(base.input, head(pool_features(base.output)), name="image_tower")
