"""Image features: extractors that run a convolutional base over photographs."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from birdfield.recognise.embed import read_photograph
from birdfield.signals.image import preprocess
from birdfield_train.augment import augment
from birdfield_train.backbones import Backbone, Tuning
from birdfield_train.extractor import FeatureExtractor
from birdfield_train.towers import pool_features

BATCH = 16  # photographs in memory at a time


def image_extractor(backbone: Backbone) -> FeatureExtractor:
    """Return the extractor of a base: views for one with fine-tuning, else pooled maps."""
    return ViewMaps(backbone, backbone.tuning) if backbone.tuning else PooledMaps(backbone)


class PooledMaps:
    """Computes the mean and the peak of each channel of the base's last maps, [2 C]."""

    batch_size = BATCH

    def __init__(self, backbone: Backbone) -> None:
        """Prepare a base; it is built when it is first used."""
        self.key = f"image-{backbone.key}"
        self._backbone = backbone
        self._model: keras.Model | None = None

    def read(self, path: Path) -> NDArray[np.float32]:
        """Read a photograph as the input of the base, float32 [S, S, 3]."""
        return preprocess(read_photograph(path), self._backbone.spec)

    def compute(self, inputs: Sequence[NDArray[np.float32]]) -> Sequence[NDArray[np.float32]]:
        """Compute the pooled maps of photographs, float32 [2 C] each."""
        if self._model is None:
            base = self._backbone.build()
            pooled = keras.layers.Concatenate()(pool_features(base.output))
            self._model = keras.Model(base.input, pooled)
        # Every batch has the same size, so that TensorFlow traces one graph.
        batch = np.zeros((BATCH, *inputs[0].shape), np.float32)
        batch[: len(inputs)] = inputs
        return list(np.asarray(self._model.predict_on_batch(batch))[: len(inputs)])


class ViewMaps:
    """Computes the maps before the base's tail, of a photograph and of other views of it."""

    batch_size = BATCH

    def __init__(self, backbone: Backbone, tuning: Tuning) -> None:
        """Prepare a base; it is built when it is first used."""
        self.key = f"views{tuning.views}-{backbone.key}-{tuning.after}"
        self._backbone, self._tuning = backbone, tuning
        self._model: keras.Model | None = None

    def read(self, path: Path) -> NDArray[np.float32]:
        """Read a photograph and draw its other views, float32 [1 + views, S, S, 3]."""
        image = read_photograph(path)
        rng = np.random.default_rng(zlib.crc32(image.tobytes()))  # equal pictures, equal views
        views = [image, *(augment(image, rng) for _ in range(self._tuning.views))]
        return np.stack([preprocess(view, self._backbone.spec) for view in views])

    def compute(self, inputs: Sequence[NDArray[np.float32]]) -> Sequence[NDArray[np.float32]]:
        """Compute the maps of each photograph's views, float32 [1 + views, h, w, c] each."""
        if self._model is None:
            base = self._backbone.build()
            self._model = keras.Model(base.input, base.get_layer(self._tuning.after).output)
        return [np.asarray(self._model.predict_on_batch(views)) for views in inputs]
