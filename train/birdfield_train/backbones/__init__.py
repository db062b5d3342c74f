"""Backbones: the convolutional bases of the image tower, with one interface."""

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
        after: The layer whose maps are cached; the layers after it are fitted.
        views: Views of each photograph to cache, beside the plain one.
        epochs: Passes over the photographs, each with other views.
        learning_rate: Of Adam, for the base, with a cosine decay to 0; the temporary head learns
            faster (`fine_tune.HEAD_RATE`).
        temperature: Of the normalised softmax (Zhai and Wu, arXiv 1811.12649), beside the triplets.
        margin: Of the triplet loss, in cosine.
        species_per_batch: Species in a batch.
        samples_per_species: Photographs of each species in a batch.
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
        name: One of BACKBONES.
        spec: How its input is preprocessed.
        channels: Channels of its last maps.
        build: Builds the base, with its weights: [B, size, size, 3] -> [B, h, w, channels].
        licence: Origin and licence of the weights.
        key: Identifies the weights, for caches.
        tuning: How its last stage is fine-tuned; None when all of the base is frozen.
        head_rate: Learning rate of the image head, as a share of the heads' rate. A step of Adam
            moves an embedding by the rate times the pooled maps, so larger maps need a smaller
            rate.
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
    """Return a backbone by its name.

    Args:
        name: One of BACKBONES.
        weights: A Keras weights file that replaces the packaged weights, or None.

    Raises:
        UsageError: When no backbone has that name, or it accepts no other weights.
        InputError: When the file of weights cannot be read.
    """
    from birdfield_train.backbones import efficientnet_lite0, vgg16

    if name not in BACKBONES:
        raise UsageError(f"no image backbone {name!r}; expected one of {', '.join(BACKBONES)}")
    describe = vgg16.backbone if name == "vgg16" else efficientnet_lite0.backbone
    return describe(weights)
