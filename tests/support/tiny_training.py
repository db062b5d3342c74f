"""Tiny training: runs in seconds, with a tiny base and two folds of two epochs.

A test can start it as a process and kill it: python tests/support/tiny_training.py DATA RUN.
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
from birdfield_train import background_data, inputs, run_encoder
from birdfield_train.backbones import Backbone
from birdfield_train.config import Reporter, TrainConfig
from birdfield_train.fit import FitConfig
from birdfield_train.pipeline import train
from birdfield_train.selection import Grid

SPEC = ImageSpec(16, "RGB", (10.0, 20.0, 30.0), 2.0)
CHANNELS = 6
COLOURS = {"Blue Tit": (200, 120, 60), "Greenfinch": (70, 170, 90), "Robin": (40, 90, 210)}  # BGR
PITCHES_HZ = (4000, 2500, 3200)
SILENT = Reporter(lambda *_: None, lambda *_: None, lambda _: None)
GRID = Grid(folds=2, epochs=(1, 2))


def build_base() -> keras.Model:
    """Build a base of one convolution, always with the same weights."""
    image = keras.Input((SPEC.size_px, SPEC.size_px, 3))
    maps = keras.layers.Conv2D(CHANNELS, 3, strides=2, activation="relu", name="maps")(image)
    base = keras.Model(image, maps)
    rng = np.random.default_rng(1)
    base.set_weights([0.05 * rng.normal(size=weight.shape) for weight in base.get_weights()])
    return base


def tiny_backbone(name: str, weights: Path | None = None) -> Backbone:
    return Backbone(name, SPEC, CHANNELS, build_base, "none: invented", "tiny")


def quicken(patch: pytest.MonkeyPatch) -> None:
    """Replace the base and generate less background, until the patch is undone.

    The caller sets `tf.config.run_functions_eagerly` back.
    """
    for module in (inputs, run_encoder):
        patch.setattr(module, "get_backbone", tiny_backbone)
    patch.setattr(background_data, "COUNT", 6)
    tf.config.run_functions_eagerly(True)


def write_data(folder: Path, photographs: int = 4, recordings: int = 3) -> None:
    """Write three species of different colour and pitch."""
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
        grid=GRID,
    )


def tiny_run(folder: Path) -> Path:
    """Train one run for all test modules, beside its data and its cache."""
    home = folder / "tiny"
    if not home.exists():
        write_data(home / "data")
        with pytest.MonkeyPatch.context() as patch:
            quicken(patch)
            patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
            train(make_config(home / "data", home / "runs" / "run"), SILENT)
    return home / "runs" / "run"


def interrupt(*_: object) -> None:
    """End the training, as a callback or in place of a function."""
    raise KeyboardInterrupt


def assert_same_run(one: Path, two: Path) -> None:
    """Check that two runs have the same weights, galleries, scores and history."""
    for name in ("heads.npz", "species.npz", "calibration.npz"):
        assert_same_arrays(one / name, two / name)
    for name in ("cv.json", "run.json", "history.csv"):
        assert (one / name).read_text() == (two / name).read_text()


def assert_same_arrays(one: Path, two: Path) -> None:
    """Check that two NPZ files have the same arrays."""
    with np.load(one) as first, np.load(two) as second:
        assert first.files == second.files
        for key in first.files:
            np.testing.assert_array_equal(first[key], second[key], err_msg=f"{one.name}: {key}")


if __name__ == "__main__":
    quicken(pytest.MonkeyPatch())
    train(make_config(Path(sys.argv[1]), Path(sys.argv[2])), SILENT)
