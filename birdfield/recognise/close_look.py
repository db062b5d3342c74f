"""A closer look at a picture: the bird may be small in it, and a tower sees 224 pixels a side."""

import itertools
from collections.abc import Iterator

import numpy as np

from birdfield.model.encoder import Encoder, Vector
from birdfield.model.gallery import Gallery, margin_of_vectors
from birdfield.model.sense import Sense
from birdfield.signals.image import Frame

# What part of each side is looked at, at how many places along it.
GRIDS = ((1.0, 1), (0.62, 2), (0.62, 1), (0.4, 3))
SURE = 0.15  # the knownness from which a part stands for the picture: docs/decisions/0020


def parts_of(image: Frame) -> Iterator[Frame]:
    """Cut a picture [H, W, 3] into parts that overlap: it itself first, then smaller ones."""
    rows, columns = image.shape[:2]
    for share, places in GRIDS:
        height, width = max(int(share * rows), 1), max(int(share * columns), 1)
        steps = np.linspace(0, 1, places) if places > 1 else [0.5]
        for down, across in itertools.product(steps, steps):
            top, left = int(down * (rows - height)), int(across * (columns - width))
            yield np.ascontiguousarray(image[top : top + height, left : left + width])


class CloseLook:
    """An encoder that looks closer at what it does not know; see `birdfield.encoder.Encoder`.

    A picture that as a whole is of no species of the gallery is looked at in parts, and the part
    that is surest to be of one stands for it, if it is sure enough.
    """

    def __init__(self, encoder: Encoder, gallery: Gallery) -> None:
        """Stand before an encoder, with the species to look for."""
        self._encoder, self._gallery = encoder, gallery
        self.audio_spec, self.hear = encoder.audio_spec, encoder.hear
        self.audio_vector, self.fuse = encoder.audio_vector, encoder.fuse

    def image_vector(self, image: Frame) -> Vector:
        """Embed a picture, uint8 [H, W, 3] BGR, or the part of it that tells more."""
        parts = parts_of(image)
        whole = self._encoder.image_vector(next(parts))
        if not self._gallery.species or self._knownness(whole) >= 0:
            return whole
        looks = [
            (self._knownness(vector), vector) for vector in map(self._encoder.image_vector, parts)
        ]
        sure, part = max(looks, key=lambda look: look[0])
        return part if sure >= SURE else whole

    def _knownness(self, vector: Vector) -> float:
        return float(
            margin_of_vectors(self.fuse(vector, None)[None], self._gallery, Sense.IMAGE)[0]
        )
