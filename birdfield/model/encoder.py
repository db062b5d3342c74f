"""The towers of a bundle: a picture, a sound or both become one unit vector."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from birdfield.model.frontend import Frontend, Heard
from birdfield.model.open_frontend import open_frontend
from birdfield.model.tflite import TfliteModel
from birdfield.signals.audio import Waveform
from birdfield.signals.image import Frame, ImageSpec, preprocess
from birdfield.signals.windows import AudioSpec, repeat_patches

DIM = 128

Vector = NDArray[np.float32]  # [DIM], of length 1
Vectors = NDArray[np.float32]  # [N, DIM], each of length 1


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale to length 1 along the last axis; a vector of zeros stays one."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), np.float32)


class Encoder(Protocol):
    """What evaluation and enrolment need: the exported towers, or a run's Keras model."""

    @property
    def audio_spec(self) -> AudioSpec:
        """The sound that `hear` takes, and the windows of it."""

    def image_vector(self, image: Frame) -> Vector:
        """Embed a picture, uint8 [H, W, 3] BGR, by the image tower alone."""

    def audio_vector(self, frames: NDArray[np.float32]) -> Vector:
        """Embed the frontend's embeddings [T, dim] of at most one window by the audio tower."""

    def hear(self, waveform: Waveform) -> Heard:
        """Turn a waveform at the frontend's rate into its embeddings, and classes if asked."""

    def fuse(self, image: Vector | None, audio: Vector | None) -> Vector:
        """Join tower vectors in the species space; at least one is given."""


class BundleEncoder:
    """The TFLite towers of one bundle, each loaded on first use. Not thread-safe."""

    def __init__(
        self,
        folder: Path,
        image_spec: ImageSpec,
        audio_spec: AudioSpec,
        yamnet: Path,
        threads: int = 1,
    ) -> None:
        """Take the towers from a bundle's folder, whose files were checked by the bundle."""
        self.audio_spec = audio_spec
        self._folder = folder
        self._spec = image_spec
        self._yamnet = yamnet
        self._threads = threads

    def load(self, image: bool, audio: bool) -> None:
        """Load now what these senses need, so that no file is read once a scene is watched.

        Raises:
            InputError: When a file cannot be loaded.
            MissingError: When the frontend's package is not installed.
        """
        wanted = ["_fusion", *["_image"] * image, *["_frontend", "_audio"] * audio]
        for part in wanted:
            getattr(self, part)

    @cached_property
    def _frontend(self) -> Frontend:
        return open_frontend(self.audio_spec.name, self._yamnet, self._threads)

    @cached_property
    def _image(self) -> TfliteModel:
        return TfliteModel(self._folder / "image.tflite", self._threads)

    @cached_property
    def _audio(self) -> TfliteModel:
        return TfliteModel(self._folder / "audio.tflite", self._threads)

    @cached_property
    def _fusion(self) -> TfliteModel:
        return TfliteModel(self._folder / "fusion.tflite", 1)

    def hear(self, waveform: Waveform) -> Heard:
        """Turn a waveform at the frontend's rate into its embeddings, and classes if asked.

        Raises:
            MissingError: When the frontend's package is not installed.
        """
        return self._frontend.hear(waveform)

    def image_vector(self, image: Frame) -> Vector:
        """Embed a picture, uint8 [H, W, 3] BGR; returns a unit vector [DIM]."""
        return self.square_vector(preprocess(image, self._spec))

    def square_vector(self, square: NDArray[np.float32]) -> Vector:
        """Embed what `preprocess` made of a picture; returns a unit vector [DIM]."""
        return unit(self._image(image=square[None])["embedding"][0])

    def audio_vector(self, frames: NDArray[np.float32]) -> Vector:
        """Embed at most one window's patches, float32 [T, dim]; returns a unit vector [DIM]."""
        sequence = repeat_patches(frames, self.audio_spec.patches_per_window)
        return unit(self._audio(audio=sequence[None])["embedding"][0])

    def fuse(self, image: Vector | None, audio: Vector | None) -> Vector:
        """Join tower vectors [DIM] in the species space; the absent one may be None.

        Args:
            image: By the image tower.
            audio: By the audio tower.

        Returns:
            A unit vector [DIM].

        Raises:
            ValueError: When both are None.
        """
        if image is None and audio is None:
            raise ValueError("fuse needs an image vector or an audio vector; got neither")
        zero = np.zeros(DIM, np.float32)
        presence = np.array([[image is not None, audio is not None]], np.float32)
        fused = self._fusion(
            image=(zero if image is None else image)[None],
            audio=(zero if audio is None else audio)[None],
            presence=presence,
        )
        return unit(fused["embedding"][0])


def pool(vectors: Sequence[Vector] | Vectors) -> Vector:
    """Pool tower vectors into one: of a file's windows, a visit's frames, a species' samples."""
    return unit(np.mean(vectors, axis=0))
