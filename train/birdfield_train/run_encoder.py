"""Run encoder: the Keras towers of a run, with the interface of a bundle's encoder."""

import io
import json
import zipfile
import zlib
from functools import cached_property
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError
from birdfield.model.encoder import Vector, unit
from birdfield.model.frontend import Frontend, SoundFeatures
from birdfield.model.gallery import Gallery, load_gallery
from birdfield.model.open_frontend import open_frontend
from birdfield.model.tflite import interpreter_class
from birdfield.signals.audio import Waveform
from birdfield.signals.image import Frame, preprocess
from birdfield.signals.windows import AudioSpec, repeat_patches
from birdfield_train import manifest
from birdfield_train.backbones import Backbone, get_backbone
from birdfield_train.calibration_data import CalibrationData, load_calibration_data
from birdfield_train.fine_tune import load_tail
from birdfield_train.fit import load_heads
from birdfield_train.fused_encoder import image_tower
from birdfield_train.fusion_weights import FusionWeights
from birdfield_train.heads import Heads
from birdfield_train.manifest import FILES, TAIL_FILE, RunManifest, read_manifest


class Run:
    """The folder of a complete run, read only.

    Attributes:
        folder: The folder.
        manifest: The content of its run.json.
    """

    def __init__(self, folder: Path) -> None:
        """Open a run and check its files.

        Raises:
            InputError: When there is no complete run, its format is another, or a file of it is
                missing or damaged.
        """
        self.folder = folder
        self.manifest: RunManifest = read_manifest(folder)
        for name in (*FILES, *([TAIL_FILE] if self.backbone.tuning else [])):
            _check_file(folder / name)

    @cached_property
    def backbone(self) -> Backbone:
        """The convolutional base of the run."""
        own = self.manifest.own_image_weights
        weights = self.folder / manifest.IMAGE_WEIGHTS_FILE if own else None
        return get_backbone(self.manifest.image_backbone, weights)

    @property
    def audio_spec(self) -> AudioSpec:
        """The spec of the run's frontend."""
        return self.manifest.audio

    def frontend(self) -> Frontend:
        """Load the run's frontend; raises what `open_frontend` raises."""
        return open_frontend(self.audio_spec.name, self.folder / manifest.YAMNET_FILE)

    @cached_property
    def heads(self) -> Heads:
        """The trained part of the encoder."""
        path = self.folder / manifest.HEADS_FILE
        return load_heads(path, self.backbone.channels, self.audio_spec)

    @cached_property
    def calibration_data(self) -> CalibrationData:
        """The inputs that the run keeps for quantisation."""
        return load_calibration_data(self.folder / manifest.CALIBRATION_FILE)

    def image_tower(self) -> keras.Model:
        """Build the image tower, [B, S, S, 3] -> [B, 128], with fine-tuned weights if any."""
        path = self.folder / TAIL_FILE
        tail = load_tail(path) if path.exists() else None
        return image_tower(self.backbone, self.heads.image, tail=tail)

    def gallery(self) -> Gallery:
        """Read the species and their prototypes."""
        path = self.folder / manifest.GALLERY_FILE
        return load_gallery(path.read_bytes(), self.manifest.calibration, str(path))


def _check_file(path: Path) -> None:
    """Read all of a run's file; raises InputError when it is missing or damaged."""
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
            "is damaged, so train it again"
        ) from error


class RunEncoder:
    """The Keras towers of a run; see `birdfield.model.encoder.Encoder`. Not thread-safe."""

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
        """Compute the embeddings of a waveform at the frontend's rate; classes when asked."""
        return self._frontend.extract_features(waveform)

    def image_vector(self, image: Frame) -> Vector:
        """Embed a picture, uint8 [H, W, 3] BGR; return a unit vector [128]."""
        return unit(self._image.predict_on_batch(preprocess(image, self._spec)[None])[0])

    def audio_vector(self, frames: NDArray[np.float32]) -> Vector:
        """Embed the patches of at most one window, float32 [T, dim]; return a unit vector [128]."""
        sequence = repeat_patches(frames, self.audio_spec.patches_per_window)
        return unit(self._audio.predict_on_batch(sequence[None])[0])

    def fuse(self, image: Vector | None, audio: Vector | None) -> Vector:
        """Join tower vectors [128] in the space of the species; return a unit vector [128]."""
        return self._fusion.fuse(image, audio)
