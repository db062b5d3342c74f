"""Fusion weights: the fusion layer in NumPy, for scoring and for galleries without TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from birdfield.model.encoder import Vector, unit


@dataclass(frozen=True)
class FusionWeights:
    """The weights of `towers.SenseFusion`.

    Attributes:
        image_kernel: float32 [128, 128].
        audio_kernel: float32 [128, 128].
        image_token: float32 [128], replaces an absent photograph.
        audio_token: float32 [128], replaces an absent recording.
        gain: float32 [], weight of sound beside the image.
    """

    image_kernel: NDArray[np.float32]
    audio_kernel: NDArray[np.float32]
    image_token: NDArray[np.float32]
    audio_token: NDArray[np.float32]
    gain: NDArray[np.float32]

    def fuse(self, image: Vector | None, audio: Vector | None) -> Vector:
        """Join tower vectors [128] to a unit vector [128]; see `birdfield.model.encoder`."""
        by_image = self.image_token if image is None else image @ self.image_kernel
        by_audio = self.audio_token if audio is None else audio @ self.audio_kernel
        return unit(by_image + self.gain * by_audio)

    def with_gain(self, gain: float) -> "FusionWeights":
        """Return the same weights with another gain."""
        return replace(self, gain=np.array(gain, np.float32))

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return the weights by name."""
        return {entry.name: np.asarray(getattr(self, entry.name)) for entry in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float32]]) -> "FusionWeights":
        """Take the weights out of arrays by name; other arrays are ignored."""
        return cls(**{entry.name: arrays[entry.name] for entry in fields(cls)})
