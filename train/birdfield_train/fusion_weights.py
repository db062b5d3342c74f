"""The fusion layer in NumPy: what scoring and fitting a gallery need of it, without TensorFlow."""

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
        image_token: float32 [128], stands for an absent photograph.
        audio_token: float32 [128], stands for an absent recording.
        gain: float32 [], what hearing counts beside sight.
    """

    image_kernel: NDArray[np.float32]
    audio_kernel: NDArray[np.float32]
    image_token: NDArray[np.float32]
    audio_token: NDArray[np.float32]
    gain: NDArray[np.float32]

    def fuse(self, image: Vector | None, audio: Vector | None) -> Vector:
        """Join tower vectors; see `birdfield.encoder.Encoder`."""
        sight = self.image_token if image is None else image @ self.image_kernel
        sound = self.audio_token if audio is None else audio @ self.audio_kernel
        return unit(sight + self.gain * sound)

    def with_gain(self, gain: float) -> "FusionWeights":
        """Return the same fusion with another gain."""
        return replace(self, gain=np.array(gain, np.float32))

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return the weights by name."""
        return {entry.name: np.asarray(getattr(self, entry.name)) for entry in fields(self)}
