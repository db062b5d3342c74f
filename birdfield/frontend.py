"""Frontends: from a waveform to the embeddings that an audio tower reads, patch by patch."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from birdfield.audio import AudioSpec, Waveform
from birdfield.config import PACKAGED_YAMNET, PACKAGED_YAMNET_SHA256, file_sha256
from birdfield.errors import InputError, UsageError
from birdfield.interpreter import TfliteModel
from birdfield.log_mel import LogMelYamnet
from birdfield.streaming import Stream

# 96 log-mel frames a patch, 10 ms apart and 25 ms long; 48 of them a hop; windows of 5.295 s.
# An embedding and, of an inner layer, the mean and the peak over time of eight bands of frequency:
# docs/decisions/0007-yamnet-bands.md.
EMBEDDING = 1024
BAND_MAPS = (12, 8, 256)  # time, frequency, channels
BANDS = 2 * BAND_MAPS[1] * BAND_MAPS[2]
YAMNET = AudioSpec("yamnet", rate_hz=16_000, patch=15_600, hop=7_680, frames=10,
                   dim=EMBEDDING + BANDS)
# 3 s a patch, 1.5 s a hop, windows of 6 s: docs/decisions/0006-birdnet-frontend.md. An embedding
# and what its 6,522 classes say of it: docs/decisions/0019-class-evidence.md.
EVIDENCE = 256
BIRDNET = AudioSpec("birdnet", rate_hz=48_000, patch=144_000, hop=72_000, frames=3,
                    dim=EMBEDDING + EVIDENCE, evidence=EVIDENCE, padded=False)
SPECS = {spec.name: spec for spec in (YAMNET, BIRDNET)}
CLASSES = 521  # AudioSet classes, as YAMNet scores them
OUTPUTS = frozenset({"embeddings", "bands", "scores"})


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
        packaged = path == PACKAGED_YAMNET or (path.is_file()
                                               and self.sha256 == PACKAGED_YAMNET_SHA256)
        model = LogMelYamnet(threads) if packaged else WaveformYamnet(path, threads)
        self._stream = Stream(YAMNET, model.embed)

    @cached_property
    def sha256(self) -> str:
        """Of the file."""
        return file_sha256(self._path)

    def embed(self, waveform: Waveform) -> NDArray[np.float32]:
        """Embed float32 [N], mono, at 16 kHz, -1..1; returns float32 [T, 5120].

        Of each patch the embedding [1024], then the bands [4096].
        """
        return self.hear(waveform).frames

    def hear(self, waveform: Waveform) -> Heard:
        """Embed such a waveform; its classes are scored in the same run (Plakal, Ellis, 2020).

        Of a window that overlaps the one before by whole hops only what is new is run.
        """
        rows = self._stream.embed(waveform)
        return Heard(rows[:, : YAMNET.dim], lambda: rows[:, YAMNET.dim :])


class WaveformYamnet:
    """A whole YAMNet, spectrogram and all, as `train` converts one. Not thread-safe."""

    def __init__(self, path: Path, threads: int) -> None:
        """Load the file; raises InputError when it is another model."""
        self._model = TfliteModel(path, threads)
        if self._model.inputs != {"waveform": (YAMNET.patch,)}:
            raise InputError(f"{path}: takes {self._model.inputs}; "
                             f"expected waveform [{YAMNET.patch}]")
        if self._model.outputs != OUTPUTS:
            raise InputError(f"{path}: gives {', '.join(sorted(self._model.outputs))}; expected "
                             f"{', '.join(sorted(OUTPUTS))}; train again with this birdfield")

    def embed(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed patches [T, 15600]; returns [T, 5641]: embedding, bands, scores."""
        results = [self._model(waveform=np.ascontiguousarray(patch)) for patch in patches]
        return np.concatenate([np.concatenate([result[name] for name in
                                               ("embeddings", "bands", "scores")], axis=1)
                               for result in results])


def spec_of(name: str) -> AudioSpec:
    """Find a frontend by its name.

    Raises:
        UsageError: When there is none of that name.
    """
    if name not in SPECS:
        raise UsageError(f"no frontend {name!r}; expected one of {', '.join(SPECS)}")
    return SPECS[name]


def open_frontend(name: str, yamnet: Path, threads: int = 1) -> Frontend:
    """Load a frontend.

    Args:
        name: One of SPECS.
        yamnet: The YAMNet that embeds, or that scores classes beside another frontend.
        threads: Threads of the interpreter.

    Raises:
        MissingError: When the package that carries it is not installed.
        InputError: When its file is not the one that is known.
    """
    if spec_of(name) is YAMNET:
        return Yamnet(yamnet, threads)
    from birdfield.birdnet import BirdNet

    return BirdNet(yamnet, threads)
