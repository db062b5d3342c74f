"""The real inputs on which a tower is quantised and compared, from what the run kept."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield.encoder import unit
from birdfield.image import preprocess
from birdfield_train.batches import KINDS
from birdfield_train.calibration_data import CalibrationData, load_calibration_data
from birdfield_train.run_encoder import Run

Inputs = dict[str, NDArray[np.float32]]  # by name, [N, *the tower's input shape with batch 1]


@lru_cache(maxsize=1)
def kept_data(path: Path) -> CalibrationData:
    """Read a run's calibration data once."""
    return load_calibration_data(path)


def tower_inputs(run: Run, tower: str) -> Inputs:
    """Return real inputs of a tower, a few hundred."""
    data = kept_data(run.folder / "calibration.npz")
    if tower == "image":
        return {"image": image_inputs(run, data)}
    if tower == "audio":
        return {"audio": data.sequences[:, None]}
    return fusion_inputs(run, data)


def image_inputs(run: Run, data: CalibrationData) -> NDArray[np.float32]:
    """Preprocess the kept pictures: float32 [N, 1, S, S, 3]."""
    size = run.backbone.spec.size_px
    pictures = [preprocess(image, run.backbone.spec) for image in data.images]
    return np.array(pictures, np.float32).reshape(-1, 1, size, size, 3)


def fusion_inputs(run: Run, data: CalibrationData) -> Inputs:
    """Pair the towers' vectors, with each sense absent in some rows."""
    gallery = run.gallery()
    images = gallery.vectors[gallery.senses == 0]
    by_sound = run.heads.audio.predict(data.sequences, batch_size=64, verbose=0)
    audio = unit(by_sound) if len(by_sound) else gallery.vectors[gallery.senses == 1]
    count = max(len(images), len(audio), 1)
    presence = KINDS[np.arange(count) % len(KINDS)]
    zeros = np.zeros((1, 128), np.float32)
    image_rows = (images if len(images) else zeros)[np.arange(count) % max(len(images), 1)]
    audio_rows = (audio if len(audio) else zeros)[np.arange(count) % max(len(audio), 1)]
    return {"image": (image_rows * presence[:, :1])[:, None],
            "audio": (audio_rows * presence[:, 1:])[:, None], "presence": presence[:, None]}
