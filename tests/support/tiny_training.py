"""Tiny training: a run of seconds, with a tiny convolutional base and two folds of two epochs.

As a process that a test can kill: python tests/support/tiny_training.py DATA RUN [--resume]
"""

import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from birdfield.model.audio_specs import YAMNET
from birdfield.signals.image import ImageSpec
from birdfield_train import background_data, crossval, run, run_encoder
from birdfield_train.backbones import Backbone
from birdfield_train.fit import FitConfig
from birdfield_train.run import Reporter, TrainConfig

SPEC = ImageSpec(16, "RGB", (10.0, 20.0, 30.0), 2.0)
CHANNELS = 6
COLOURS = {"Blue Tit": (200, 120, 60), "Greenfinch": (70, 170, 90), "Robin": (40, 90, 210)}  # BGR
PITCHES_HZ = (4000, 2500, 3200)
SILENT = Reporter(lambda *_: None, lambda *_: None, lambda _: None)


def build_base() -> keras.Model:
    """Return a base of one convolution with fixed weights."""
    image = keras.Input((SPEC.size_px, SPEC.size_px, 3))
    base = keras.Model(image, keras.layers.Conv2D(CHANNELS, 3, strides=2, activation="relu")(image))
    rng = np.random.default_rng(1)
    base.set_weights([0.05 * rng.normal(size=weight.shape) for weight in base.get_weights()])
    return base


def tiny_backbone(name: str, weights: Path | None = None) -> Backbone:
    return Backbone(name, SPEC, CHANNELS, build_base, "none: made up", "tiny")


def quicken(patch: pytest.MonkeyPatch) -> None:
    """Make training quick until the patch is undone; the caller must reset `tf.config`."""
    for module in (run, run_encoder):
        patch.setattr(module, "get_backbone", tiny_backbone)
    patch.setattr(crossval, "FOLDS", 2)
    patch.setattr(crossval, "EPOCH_GRID", (1, 2))
    patch.setattr(background_data, "COUNT", 6)
    tf.config.run_functions_eagerly(True)


def write_data(folder: Path, photographs: int = 4, recordings: int = 3) -> None:
    """Write three species that differ in colour and in pitch."""
    rng = np.random.default_rng(0)
    time_s = np.arange(YAMNET.rate_hz) / YAMNET.rate_hz
    for (label, colour), pitch_hz in zip(COLOURS.items(), PITCHES_HZ, strict=True):
        images, audio = (folder / kind / label.replace(" ", "_") for kind in ("images", "audio"))
        images.mkdir(parents=True)
        audio.mkdir(parents=True)
        for index in range(photographs):
            grain = np.clip(rng.normal(colour, 40, (8, 8, 3)), 0, 255).astype(np.uint8)
            cv2.imwrite(str(images / f"{index}.png"), cv2.resize(grain, (40, 32)))
        for index in range(recordings):
            tone = np.sin(2 * np.pi * pitch_hz * rng.uniform(0.97, 1.03) * time_s)
            sound = 0.2 * tone + 0.02 * rng.normal(size=YAMNET.rate_hz)
            soundfile.write(audio / f"{index}.wav", sound, YAMNET.rate_hz)


def make_config(data: Path, folder: Path, strict: bool = False, seed: int = 0) -> TrainConfig:
    return TrainConfig(
        data / "images",
        data / "audio",
        folder,
        "tiny",
        strict=strict,
        seed=seed,
        fit=FitConfig(
            margin=1.0, steps=1, species_per_batch=3, samples_per_species=2, semi_hard_epochs=1
        ),
    )


def tiny_run(folder: Path) -> Path:
    """Return the run that all modules of tests share, and train it at the first call."""
    home = folder / "tiny"
    if not home.exists():
        write_data(home / "data")
        with pytest.MonkeyPatch.context() as patch:
            quicken(patch)
            patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
            run.train(make_config(home / "data", home / "runs" / "run"), SILENT)
    return home / "runs" / "run"


if __name__ == "__main__":
    quicken(pytest.MonkeyPatch())
    run.train(make_config(Path(sys.argv[1]), Path(sys.argv[2])), SILENT, "--resume" in sys.argv)
