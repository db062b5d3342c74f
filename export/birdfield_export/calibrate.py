"""The real inputs on which a tower is quantised and compared, from what the run kept."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield.model.encoder import unit
from birdfield.signals.image import preprocess
from birdfield_train.batches import KINDS
from birdfield_train.calibration_data import CalibrationData, load_calibration_data
from birdfield_train.run_encoder import Run

Inputs = dict[str, NDArray[np.float32]]  # by name, [N, *the tower's input shape with batch 1]


@lru_cache(maxsize=1)
def kept_data(path: Path) -> CalibrationData:
    """Read a run's calibration data once."""
    return load_calibration_data(path)


def tower_inputs(run: Run, tower: str) -> Inputs:
    """Return real inputs of a tower, a few hundred.

    A run without one of the senses has none: then what no bird is has to do.
    """
    if tower == "fusion":
        return fusion_inputs(run)
    data = kept_data(run.folder / "calibration.npz")
    found = image_inputs(run, data) if tower == "image" else data.sequences[:, None]
    if len(found):
        return {tower: found}
    return {tower: np.concatenate([one[tower] for one in synthetic_inputs(run, tower).values()])}


def image_inputs(run: Run, data: CalibrationData) -> NDArray[np.float32]:
    """Preprocess the kept pictures: float32 [N, 1, S, S, 3]."""
    size = run.backbone.spec.size_px
    pictures = [preprocess(image, run.backbone.spec) for image in data.images]
    return np.array(pictures, np.float32).reshape(-1, 1, size, size, 3)


def fusion_inputs(run: Run) -> Inputs:
    """Pair the towers' vectors, with each sense absent in some rows."""
    sequences = tower_inputs(run, "audio")["audio"][:, 0]
    audio = unit(run.heads.audio.predict(sequences, batch_size=64, verbose=0))
    gallery = run.gallery()
    # Prototypes by sight stand for pictures: embedding those takes minutes.
    images = gallery.vectors[gallery.senses == 0] if 0 in gallery.senses else audio
    rows = np.arange(max(len(images), len(audio)))
    presence = KINDS[rows % len(KINDS)]
    return {
        "image": (images[rows % len(images)] * presence[:, :1])[:, None],
        "audio": (audio[rows % len(audio)] * presence[:, 1:])[:, None],
        "presence": presence[:, None],
    }


def synthetic_inputs(run: Run, tower: str) -> dict[str, Inputs]:
    """Make what no bird is: a black and a noisy frame, or silence and noise."""
    rng = np.random.default_rng(0)
    if tower == "image":
        size = run.backbone.spec.size_px
        frames = {
            "black frame": np.zeros((size, size, 3), np.uint8),
            "noise": rng.integers(0, 256, (size, size, 3)).astype(np.uint8),
        }
        return {
            name: {"image": preprocess(frame, run.backbone.spec)[None, None]}
            for name, frame in frames.items()
        }
    if tower == "audio":
        frontend, window = run.frontend(), run.audio_spec.window
        sounds = {
            "silence": np.zeros(window, np.float32),
            "noise": rng.normal(0, 0.1, window).astype(np.float32),
        }
        return {
            name: {"audio": frontend.embed(sound)[None, None]} for name, sound in sounds.items()
        }
    return {}
