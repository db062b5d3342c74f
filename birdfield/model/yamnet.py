"""YAMNet as a frontend: embeddings, frequency bands and AudioSet classes of each patch."""

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

CLASSES = 521  # AudioSet classes, as YAMNet scores them
OUTPUTS = frozenset({"embeddings", "bands", "scores"})


class Yamnet:
    """The packaged, or a run's own, TFLite YAMNet. Not thread-safe."""

    spec = YAMNET

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load a file whose signature maps waveform [15600] to embeddings, bands and scores.

        In place of the packaged float file, its 8-bit form is run.

        Raises:
            InputError: When it is another model, or a conversion from before the bands.
        """
        self._path = path
        packaged = path == PACKAGED_YAMNET or (
            path.is_file() and self.sha256 == PACKAGED_YAMNET_SHA256
        )
        model = LogMelYamnet(threads) if packaged else WaveformYamnet(path, threads)
        self._stream = StreamingEmbedder(YAMNET, model.embed)

    @cached_property
    def sha256(self) -> str:
        """Of the file."""
        return file_sha256(self._path)

    def embed(self, waveform: Waveform) -> NDArray[np.float32]:
        """Embed float32 [N], mono, at 16 kHz, -1..1; returns float32 [T, 5120].

        Of each patch the embedding [1024], then the bands [4096].
        """
        return self.extract_features(waveform).embeddings

    def extract_features(self, waveform: Waveform) -> SoundFeatures:
        """Embed such a waveform; its classes are scored in the same run (Plakal, Ellis, 2020).

        Of a window that overlaps the one before by whole hops only what is new is run.
        """
        rows = self._stream.embed(waveform)
        return SoundFeatures(rows[:, : YAMNET.dim], lambda: rows[:, YAMNET.dim :])


class WaveformYamnet:
    """A whole YAMNet, spectrogram and all, as `train` converts one. Not thread-safe."""

    def __init__(self, path: Path, threads: int) -> None:
        """Load the file; raises InputError when it is another model."""
        self._model = TfliteModel(path, threads)
        if self._model.inputs != {"waveform": (YAMNET.patch,)}:
            raise InputError(
                f"{path}: takes {self._model.inputs}; expected waveform [{YAMNET.patch}]"
            )
        if self._model.outputs != OUTPUTS:
            raise InputError(
                f"{path}: gives {', '.join(sorted(self._model.outputs))}; expected "
                f"{', '.join(sorted(OUTPUTS))}; train again with this birdfield"
            )

    def embed(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed patches [T, 15600]; returns [T, 5641]: embedding, bands, scores."""
        results = [self._model({"waveform": np.ascontiguousarray(patch)}) for patch in patches]
        return np.concatenate(
            [
                np.concatenate([result[name] for name in ("embeddings", "bands", "scores")], axis=1)
                for result in results
            ]
        )
