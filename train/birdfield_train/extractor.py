"""Feature extractor: the interface of a network that reads files and is not trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class FeatureExtractor(Protocol):
    """Computes the features of the files of one sense, with fixed weights."""

    @property
    def key(self) -> str:
        """Names the cache: with equal keys, equal files have equal features."""

    @property
    def batch_size(self) -> int:
        """The most files that are in memory at once."""

    def read(self, path: Path) -> NDArray[np.float32]:
        """Read a file as an input of `compute`; raises InputError when it cannot be used."""

    def compute(self, inputs: Sequence[NDArray[np.float32]]) -> Sequence[NDArray[np.float32]]:
        """Compute the features of at most `batch_size` inputs."""
