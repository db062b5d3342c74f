"""Encoder: the towers of a model, which turn a picture, a sound or both into one unit vector."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from birdfield.model.frontend import Frontend, SoundFeatures
from birdfield.model.open_frontend import open_frontend
from birdfield.model.tflite import TfliteModel
from birdfield.signals.audio import Waveform
from birdfield.signals.image import Frame, ImageSpec, preprocess
from birdfield.signals.windows import AudioSpec, repeat_patches

DIM = 128

Vector = NDArray[np.float32]  # [DIM], of length 1
Vectors = NDArray[np.float32]  # [N, DIM], each of length 1


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale vectors to length 1 along the last axis; a vector of zeros stays as it is."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), np.float32)


def pool(vectors: Sequence[Vector] | Vectors) -> Vector:
    """Return the unit vector [DIM] along the mean of N >= 1 tower vectors [DIM]."""
    return unit(np.mean(vectors, axis=0))


class Encoder(Protocol):
    """The interface of a model's towers, in TFLite or Keras."""

    @property
    def audio_spec(self) -> AudioSpec:
        """The sound that `extract_features` reads, and its windows."""

    def image_vector(self, image: Frame) -> Vector:
        """Embed a picture, uint8 [H, W, 3] BGR, by the image tower alone."""

    def audio_vector(self, embeddings: NDArray[np.float32]) -> Vector:
        """Embed the frontend's embeddings [T, dim] of at most one window by the audio tower."""

    def extract_features(self, waveform: Waveform) -> SoundFeatures:
        """Run the frontend on a waveform at its rate."""

    def fuse(self, image: Vector | None, audio: Vector | None) -> Vector:
        """Join tower vectors in the species space; at least one is not None."""


class BundleEncoder:
    """The TFLite towers of a bundle, each loaded on first use. Not thread-safe."""

    def __init__(
        self,
        folder: Path,
        image_spec: ImageSpec,
        audio_spec: AudioSpec,
        yamnet: Path,
        threads: int = 1,
    ) -> None:
        """Prepare the towers in a bundle's folder.

        Args:
            folder: The folder, whose files the bundle has checked.
            image_spec: Input of the image tower.
            audio_spec: Input of the audio tower.
            yamnet: The YAMNet that embeds, or that scores classes beside another frontend.
            threads: Threads of each interpreter.
        """
        self.audio_spec = audio_spec
        self._folder = folder
        self._spec = image_spec
        self._yamnet = yamnet
        self._threads = threads

    def load(self, image: bool, audio: bool) -> None:
        """Load now all that these senses need, so that no file is read later.

        Raises:
            InputError: When a file cannot be loaded.
            MissingError: When the frontend's package is not installed.
        """
        _ = self._fusion
        if image:
            _ = self._image
        if audio:
            _ = self._frontend, self._audio

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

    def extract_features(self, waveform: Waveform) -> SoundFeatures:
        """Run the frontend on a waveform at its rate.

        Raises:
            MissingError: When the frontend's package is not installed.
        """
        return self._frontend.extract_features(waveform)

    def image_vector(self, image: Frame) -> Vector:
        """Embed a picture, uint8 [H, W, 3] BGR; returns a unit vector [DIM]."""
        return self.square_vector(preprocess(image, self._spec))

    def square_vector(self, square: NDArray[np.float32]) -> Vector:
        """Embed a picture that `preprocess` has prepared; returns a unit vector [DIM]."""
        return unit(self._image({"image": square[None]})["embedding"][0])

    def audio_vector(self, embeddings: NDArray[np.float32]) -> Vector:
        """Embed at most one window's patches, float32 [T, dim]; returns a unit vector [DIM]."""
        sequence = repeat_patches(embeddings, self.audio_spec.patches_per_window)
        return unit(self._audio({"audio": sequence[None]})["embedding"][0])

    def fuse(self, image: Vector | None, audio: Vector | None) -> Vector:
        """Join tower vectors in the species space.

        Args:
            image: Vector [DIM] of the image tower, or None.
            audio: Vector [DIM] of the audio tower, or None.

        Returns:
            A unit vector [DIM].

        Raises:
            ValueError: When both are None.
        """
        if image is None and audio is None:
            raise ValueError("fuse got neither an image vector nor an audio vector, expected one")
        zero = np.zeros(DIM, np.float32)
        fused = self._fusion(
            {
                "image": (zero if image is None else image)[None],
                "audio": (zero if audio is None else audio)[None],
                "presence": np.array([[image is not None, audio is not None]], np.float32),
            }
        )
        return unit(fused["embedding"][0])
