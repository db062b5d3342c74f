"""Convolutional bases behind one small interface, a file each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras

from birdfield.errors import UsageError
from birdfield.signals.image import ImageSpec


@dataclass(frozen=True)
class Tuning:
    """How the last stage of a base is fine-tuned.

    Attributes:
        after: The layer whose maps are cached; what follows is fitted.
        views: Cached of each photograph, beside the plain one.
        epochs: Passes over the photographs, in other views each time.
        learning_rate: Of Adam, for the base, falling to 0 by a cosine; the projection learns
            three times as fast.
        temperature: Of the normalised softmax (Zhai and Wu, arXiv 1811.12649), beside the triplets.
        margin: Of the triplet loss, in cosine.
        species_per_batch: P.
        samples_per_species: K.
    """

    after: str
    views: int
    epochs: int
    learning_rate: float
    temperature: float = 0.2
    margin: float = 0.1
    species_per_batch: int = 16
    samples_per_species: int = 4


@dataclass(frozen=True)
class Backbone:
    """A convolutional base.

    Attributes:
        name: As on the command line.
        spec: How its input is preprocessed.
        channels: Of its last convolutional maps.
        build: Makes the base, with its weights: [B, size, size, 3] -> [B, h, w, channels].
        licence: The weights' origin and licence.
        key: Identifies the weights, for caches.
        tuning: How its last stage is fine-tuned; None: it is frozen as a whole.
        head_rate: What its projection learns by, as a share of the heads' rate. A step of Adam
            moves an embedding by the rate times the pooled maps: the larger these, the smaller.
    """

    name: str
    spec: ImageSpec
    channels: int
    build: Callable[[], keras.Model]
    licence: str
    key: str
    tuning: Tuning | None = None
    head_rate: float = 1.0


BACKBONES = ("vgg16", "efficientnet-lite0")


def get_backbone(name: str, weights: Path | None = None) -> Backbone:
    """Find a backbone by name.

    Args:
        name: One of BACKBONES.
        weights: A Keras weights file in place of the packaged weights.

    Raises:
        UsageError: When there is none of that name.
        InputError: When the weights do not fit.
    """
    from birdfield_train.backbones import efficientnet_lite0, vgg16

    if name not in BACKBONES:
        raise UsageError(f"no image backbone {name!r}; expected one of {', '.join(BACKBONES)}")
    describe = vgg16.backbone if name == "vgg16" else efficientnet_lite0.backbone
    return describe(weights)
