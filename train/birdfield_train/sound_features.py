"""Sound features: extractors that run a frontend over recordings."""

import hashlib
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError
from birdfield.model.frontend import Frontend
from birdfield.paths import file_sha256
from birdfield.signals.audio import read_audio
from birdfield.signals.usability import window_fault
from birdfield_train.augment_sound import augment_sound
from birdfield_train.extractor import FeatureExtractor

VERSIONS = 3  # versions of a recording in other noise, beside the plain one


def sound_extractor(frontend: Frontend, noises: Sequence[Path] = ()) -> FeatureExtractor:
    """Return the extractor of a frontend.

    Args:
        frontend: The frontend.
        noises: Recordings without a bird, to mix into other versions of each recording; without
            any, there is only the plain version.
    """
    return NoisyVersions(frontend, noises) if noises else PatchEmbeddings(frontend)


class PatchEmbeddings:
    """Computes the frontend's embeddings of a recording, [T, dim]."""

    batch_size = 1  # a recording may last an hour

    def __init__(self, frontend: Frontend) -> None:
        """Prepare a frontend."""
        self.key = f"audio-{_frontend_key(frontend)}"
        self._frontend = frontend

    def read(self, path: Path) -> NDArray[np.float32]:
        """Read a recording, float32 [N], at the rate of the frontend."""
        waveform = read_audio(path, self._frontend.spec.rate_hz)
        fault = window_fault(waveform)
        if fault:
            raise InputError(f"{path}: the recording is {fault}; expected the sound of a bird")
        return waveform

    def compute(self, inputs: Sequence[NDArray[np.float32]]) -> Sequence[NDArray[np.float32]]:
        """Compute the embeddings of recordings, float32 [T, dim] each."""
        return [self._frontend.embed(waveform) for waveform in inputs]


class NoisyVersions(PatchEmbeddings):
    """Computes the embeddings of a recording and of VERSIONS noisy versions, [V, T, dim]."""

    def __init__(self, frontend: Frontend, noises: Sequence[Path]) -> None:
        """Prepare a frontend and recordings without a bird."""
        super().__init__(frontend)
        self.key = f"versions{VERSIONS}-{_noise_key(noises)}-{_frontend_key(frontend)}"
        self._noises = noises

    def read(self, path: Path) -> NDArray[np.float32]:
        """Read a recording and draw its other versions, float32 [V, N]; the first is plain."""
        waveform = super().read(path)
        rng = np.random.default_rng(zlib.crc32(waveform.tobytes()))  # equal sounds, equal versions
        rate_hz = self._frontend.spec.rate_hz
        versions = [augment_sound(waveform, rate_hz, self._noises, rng) for _ in range(VERSIONS)]
        return np.stack([waveform, *versions])

    def compute(self, inputs: Sequence[NDArray[np.float32]]) -> Sequence[NDArray[np.float32]]:
        """Compute the embeddings of each recording's versions, float32 [V, T, dim] each."""
        return [np.stack(super(NoisyVersions, self).compute(list(versions))) for versions in inputs]


def _frontend_key(frontend: Frontend) -> str:
    """Identify a frontend by its weights and by all that its embeddings depend on."""
    spec = frontend.spec
    classes = f"-evidence{spec.class_dim}" if spec.class_dim else ""  # the name in old caches
    return f"{frontend.sha256[:16]}-{spec.hop}{classes}{'' if spec.padded else '-whole'}"


def _noise_key(noises: Sequence[Path]) -> str:
    return hashlib.sha256("".join(map(file_sha256, noises)).encode()).hexdigest()[:16]
