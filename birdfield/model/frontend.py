"""Frontend: the interface of the networks that turn a waveform into embeddings of its patches."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from birdfield.signals.audio import Waveform
from birdfield.signals.windows import AudioSpec


@dataclass(frozen=True)
class SoundFeatures:
    """Output of a frontend for one waveform.

    Attributes:
        embeddings: float32 [T, dim], an embedding for each patch.
        score_classes: Function that computes `class_scores`.
    """

    embeddings: NDArray[np.float32]
    score_classes: Callable[[], NDArray[np.float32]]

    @cached_property
    def class_scores(self) -> NDArray[np.float32]:
        """YAMNet's class scores, float32 [T', CLASSES], 0..1, in patches 0.48 s apart.

        They are computed on first use.
        """
        return self.score_classes()


class Frontend(Protocol):
    """The network before an audio tower. Not thread-safe."""

    @property
    def spec(self) -> AudioSpec:
        """The sound that it reads, and the shape of its embeddings."""

    @property
    def sha256(self) -> str:
        """SHA-256 of its model file; with equal hashes, embeddings are equal."""

    def embed(self, waveform: Waveform) -> NDArray[np.float32]:
        """Embed float32 [N], mono, -1..1, at spec.rate_hz; returns float32 [T, dim]."""

    def extract_features(self, waveform: Waveform) -> SoundFeatures:
        """Embed such a waveform; class scores are computed on first use."""
