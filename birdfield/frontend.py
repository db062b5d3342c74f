"""YAMNet: from a waveform to patch embeddings and class scores (Plakal and Ellis, 2020)."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield.audio import PATCH, Waveform, patches
from birdfield.errors import InputError
from birdfield.interpreter import TfliteModel

EMBEDDING = 1024
CLASSES = 521  # AudioSet classes


class Yamnet:
    """The packaged, or the bundle's, float TFLite YAMNet. Not thread-safe."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load a file whose signature maps waveform [PATCH] to embeddings and scores."""
        self._model = TfliteModel(path, threads)
        if self._model.inputs != {"waveform": (PATCH,)}:
            raise InputError(f"{path}: takes {self._model.inputs}; expected waveform [{PATCH}]")

    def embed(self, waveform: Waveform) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embed a waveform patch by patch.

        Args:
            waveform: float32 [N], mono, at 16 kHz, -1..1.

        Returns:
            Embeddings float32 [T, 1024] and class scores float32 [T, 521], 0..1, with a patch
            each 0.48 s.
        """
        results = [self._model(waveform=np.ascontiguousarray(patch)) for patch in patches(waveform)]
        return (np.concatenate([result["embeddings"] for result in results]),
                np.concatenate([result["scores"] for result in results]))
