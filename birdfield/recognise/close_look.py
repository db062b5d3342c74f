"""Close look: finds a bird that is small in a picture by embedding crops of it."""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from birdfield.model.encoder import Encoder, Vector
from birdfield.model.frontend import SoundFeatures
from birdfield.model.gallery import Gallery, margin_of_vectors
from birdfield.model.sense import Sense
from birdfield.signals.audio import Waveform
from birdfield.signals.image import Frame
from birdfield.signals.windows import AudioSpec

# Side of the crops by that of the picture, and the number of places along each side.
CROP_GRIDS = ((1.0, 1), (0.62, 2), (0.62, 1), (0.4, 3))
# Margin over unknown from which a crop is used: docs/decisions/0020-close-look.md.
MIN_CROP_MARGIN = 0.15


def crops_of(image: Frame) -> Iterator[Frame]:
    """Cut a picture [H, W, 3] into overlapping crops: the whole of it first, then smaller ones."""
    rows, columns = image.shape[:2]
    for share, places in CROP_GRIDS:
        height, width = max(int(share * rows), 1), max(int(share * columns), 1)
        steps = np.linspace(0, 1, places) if places > 1 else [0.5]
        for down, across in itertools.product(steps, steps):
            top, left = int(down * (rows - height)), int(across * (columns - width))
            yield np.ascontiguousarray(image[top : top + height, left : left + width])


class CloseLookEncoder:
    """An encoder that looks for the bird in crops when a whole picture is unknown.

    The vector of the crop with the greatest margin over unknown then replaces that of the picture,
    if that margin is at least MIN_CROP_MARGIN. All other methods are those of the encoder.
    """

    def __init__(self, encoder: Encoder, gallery: Gallery) -> None:
        """Wrap an encoder; the gallery decides what is unknown."""
        self._encoder, self._gallery = encoder, gallery

    @property
    def audio_spec(self) -> AudioSpec:
        """The sound that `extract_features` reads, and its windows."""
        return self._encoder.audio_spec

    def extract_features(self, waveform: Waveform) -> SoundFeatures:
        """Run the frontend on a waveform at its rate."""
        return self._encoder.extract_features(waveform)

    def audio_vector(self, embeddings: NDArray[np.float32]) -> Vector:
        """Embed the frontend's embeddings [T, dim] of at most one window."""
        return self._encoder.audio_vector(embeddings)

    def fuse(self, image: Vector | None, audio: Vector | None) -> Vector:
        """Join tower vectors in the species space; at least one is not None."""
        return self._encoder.fuse(image, audio)

    def image_vector(self, image: Frame) -> Vector:
        """Embed a picture, uint8 [H, W, 3] BGR, or the crop of it that shows the bird."""
        crops = crops_of(image)
        whole = self._encoder.image_vector(next(crops))
        if not self._gallery.species or self._margin(whole) >= 0:
            return whole
        vectors = [self._encoder.image_vector(crop) for crop in crops]
        best = max(vectors, key=self._margin)
        return best if self._margin(best) >= MIN_CROP_MARGIN else whole

    def _margin(self, vector: Vector) -> float:
        fused = self.fuse(vector, None)[None]
        return float(margin_of_vectors(fused, self._gallery, Sense.IMAGE)[0])
