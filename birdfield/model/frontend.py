"""Frontend: the interface of what turns a waveform into embeddings, patch by patch."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from birdfield.signals.audio import Waveform
from birdfield.signals.windows import AudioSpec


@dataclass(frozen=True)
class Heard:
    """What was made of one waveform.

    Attributes:
        frames: float32 [T, dim], the frontend's embeddings of the patches.
        score_classes: Gives `classes`.
    """

    frames: NDArray[np.float32]
    score_classes: Callable[[], NDArray[np.float32]]

    @cached_property
    def classes(self) -> NDArray[np.float32]:
        """YAMNet's scores, float32 [T', CLASSES], 0..1, a patch each 0.48 s; made when asked."""
        return self.score_classes()


class Frontend(Protocol):
    """What stands before an audio tower. Not thread-safe."""

    @property
    def spec(self) -> AudioSpec:
        """The sound that it reads and the shape of what it gives."""

    @property
    def sha256(self) -> str:
        """Of its model's file: equal files, equal embeddings."""

    def embed(self, waveform: Waveform) -> NDArray[np.float32]:
        """Embed float32 [N], mono, at spec.rate_hz, -1..1; returns float32 [T, dim]."""

    def hear(self, waveform: Waveform) -> Heard:
        """Embed such a waveform, and score YAMNet's classes when they are asked for."""
