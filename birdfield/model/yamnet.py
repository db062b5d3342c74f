"""YAMNet: the frontend that computes embeddings, frequency bands and AudioSet class scores."""

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError
from birdfield.model.audio_specs import YAMNET
from birdfield.model.frontend import SoundFeatures
from birdfield.model.log_mel import LogMelYamnet
from birdfield.model.streaming import StreamingEmbedder
from birdfield.model.tflite import TfliteModel
from birdfield.paths import PACKAGED_YAMNET, PACKAGED_YAMNET_SHA256, file_sha256
from birdfield.signals.audio import Waveform

CLASSES = 521  # AudioSet classes that YAMNet scores
OUTPUTS = ("embeddings", "bands", "scores")  # in the order of the columns of a row


class Yamnet:
    """The packaged YAMNet, or that of a run. Not thread-safe."""

    spec = YAMNET

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load a file with the input waveform [15600] and the outputs OUTPUTS.

        In place of the packaged file, its 8-bit form runs.

        Raises:
            InputError: When it is another model, or was converted without bands.
        """
        self._path = path
        packaged = path == PACKAGED_YAMNET or (
            path.is_file() and self.sha256 == PACKAGED_YAMNET_SHA256
        )
        model = LogMelYamnet(threads) if packaged else WaveformYamnet(path, threads)
        self._stream = StreamingEmbedder(YAMNET, model.embed)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file."""
        return file_sha256(self._path)

    def embed(self, waveform: Waveform) -> NDArray[np.float32]:
        """Embed float32 [N], mono, -1..1, at 16 kHz.

        Returns:
            float32 [T, 5120], for each patch the embedding [1024], then the bands [4096].
        """
        return self.extract_features(waveform).embeddings

    def extract_features(self, waveform: Waveform) -> SoundFeatures:
        """Embed such a waveform, and score its classes in the same run (Plakal and Ellis, 2020).

        When it overlaps the last waveform by whole hops, only its new patches are computed.
        """
        rows = self._stream.embed(waveform)
        return SoundFeatures(rows[:, : YAMNET.dim], lambda: rows[:, YAMNET.dim :])


class WaveformYamnet:
    """A complete YAMNet with its spectrogram, as `train` converts it. Not thread-safe."""

    def __init__(self, path: Path, threads: int) -> None:
        """Load the file; raises InputError when it is another model."""
        self._model = TfliteModel(path, threads)
        if self._model.inputs != {"waveform": (YAMNET.patch,)}:
            raise InputError(
                f"{path}: the inputs are {self._model.inputs}, expected waveform "
                f"[{YAMNET.patch}]; expected a YAMNet"
            )
        if self._model.outputs != frozenset(OUTPUTS):
            raise InputError(
                f"{path}: the outputs are {', '.join(sorted(self._model.outputs))}, expected "
                f"{', '.join(sorted(OUTPUTS))}; train again with this birdfield"
            )

    def embed(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed patches [T, 15600]; returns [T, 5641]: embedding, bands, scores."""
        return np.concatenate([self._embed_patch(patch) for patch in patches])

    def _embed_patch(self, patch: Waveform) -> NDArray[np.float32]:
        found = self._model({"waveform": np.ascontiguousarray(patch)})
        return np.concatenate([found[name] for name in OUTPUTS], axis=1)
