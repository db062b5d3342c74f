"""A finished run as an encoder: the Keras towers, with the same contract as a bundle's."""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError
from birdfield.model.audio_specs import SPECS
from birdfield.model.calibration import Calibration
from birdfield.model.encoder import Vector, unit
from birdfield.model.frontend import Frontend, SoundFeatures
from birdfield.model.gallery import Gallery, load_gallery
from birdfield.model.open_frontend import open_frontend
from birdfield.model.tflite import interpreter_class
from birdfield.signals.audio import Waveform
from birdfield.signals.image import Frame, preprocess
from birdfield.signals.windows import AudioSpec, repeat_patches
from birdfield_train.backbones import Backbone, get_backbone
from birdfield_train.fine_tune import load_tail
from birdfield_train.fit import load_heads
from birdfield_train.fused_encoder import image_tower
from birdfield_train.fusion_weights import FusionWeights
from birdfield_train.heads import Heads
from birdfield_train.run import FORMAT, TAIL

FILES = ("yamnet.tflite", "heads.npz", "species.npz", "calibration.npz", "cv.json")


class Run:
    """A run's folder, read only."""

    def __init__(self, folder: Path) -> None:
        """Open a finished run.

        Raises:
            InputError: When there is none, it is of another format, or a file of it is missing or
                damaged.
        """
        self.folder = folder
        try:
            self.summary: Mapping[str, Any] = json.loads((folder / "run.json").read_bytes())
        except (OSError, ValueError) as error:
            raise InputError(
                f"{folder}: no finished run ({error}); expected a folder made by birdfield train"
            ) from error
        if self.summary.get("format") != FORMAT:
            raise InputError(
                f"{folder}: run format {self.summary.get('format')!r}, expected "
                f"{FORMAT}; train it again"
            )
        if self.audio_spec.class_dim and self.summary.get("audio") != self.audio_spec.to_json():
            raise InputError(
                f"{folder}: its {self.audio_spec.name} gave other numbers than this "
                "birdfield's; train it again"
            )
        for name in (*FILES, *([TAIL] if self.backbone.tuning else [])):
            _check_file(folder / name)

    @cached_property
    def backbone(self) -> Backbone:
        """The convolutional base that the run was trained on."""
        own = self.folder / "image.weights.h5" if self.summary["own_image_weights"] else None
        return get_backbone(str(self.summary["image_backbone"]), own)

    @cached_property
    def audio_spec(self) -> AudioSpec:
        """The sound that the run was trained on."""
        return SPECS[self.summary["frontend"]["name"]]

    def frontend(self) -> Frontend:
        """Load what read the sound; see `open_frontend`."""
        return open_frontend(self.audio_spec.name, self.folder / "yamnet.tflite")

    @cached_property
    def heads(self) -> Heads:
        """The trained part."""
        return load_heads(self.folder / "heads.npz", self.backbone.channels, self.audio_spec)

    def image_tower(self) -> keras.Model:
        """Build the image tower, [B, 224, 224, 3] -> [B, 128], with what was fine-tuned in it."""
        tail = self.folder / TAIL
        return image_tower(
            self.backbone, self.heads.image, tail=load_tail(tail) if tail.exists() else None
        )

    def gallery(self) -> Gallery:
        """Read the species and prototypes."""
        path = self.folder / "species.npz"
        return load_gallery(
            path.read_bytes(), Calibration.from_json(self.summary["calibration"]), str(path)
        )


def _check_file(path: Path) -> None:
    """Read a file of a run as a whole; raises InputError when it is not as it was written."""
    try:
        content = path.read_bytes()
        if path.suffix == ".npz":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for name in archive.namelist():
                    archive.read(name)
        elif path.suffix == ".json":
            json.loads(content)
        else:
            interpreter_class()(model_content=content)
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(
            f"{path}: cannot be read ({getattr(error, 'strerror', error)}); the run "
            "is damaged, train it again"
        ) from error


class RunEncoder:
    """The Keras towers of a run; see `birdfield.encoder.Encoder`. Not thread-safe."""

    def __init__(self, run: Run) -> None:
        """Build the towers of a run."""
        self._spec = run.backbone.spec
        self._image: keras.Model = run.image_tower()
        self._audio: keras.Model = run.heads.audio
        self._fusion: FusionWeights = run.heads.fusion_weights()
        self.audio_spec = run.audio_spec
        self._run = run

    @cached_property
    def _frontend(self) -> Frontend:
        return self._run.frontend()

    def extract_features(self, waveform: Waveform) -> SoundFeatures:
        """Turn a waveform at the frontend's rate into its embeddings, and classes if asked."""
        return self._frontend.extract_features(waveform)

    def image_vector(self, image: Frame) -> Vector:
        """Embed a picture, uint8 [H, W, 3] BGR; returns a unit vector [128]."""
        return unit(self._image.predict_on_batch(preprocess(image, self._spec)[None])[0])

    def audio_vector(self, frames: NDArray[np.float32]) -> Vector:
        """Embed at most one window's patches, float32 [T, dim]; returns a unit vector [128]."""
        sequence = repeat_patches(frames, self.audio_spec.patches_per_window)
        return unit(self._audio.predict_on_batch(sequence[None])[0])

    def fuse(self, image: Vector | None, audio: Vector | None) -> Vector:
        """Join tower vectors [128] in the species space."""
        return self._fusion.fuse(image, audio)
