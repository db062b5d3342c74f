"""Parity of an exported tower with Keras: on real data, silence, noise and a black frame."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from birdfield.model.encoder import unit
from birdfield.model.gallery import Gallery
from birdfield.model.sense import EACH_SENSE, Sense
from birdfield.model.tflite import TfliteModel
from birdfield_export.calibrate import Inputs, kept_data, synthetic_inputs
from birdfield_train.run_encoder import Run

MIN_COSINE = 0.98  # of the worst real input
MAX_LOSS = 0.01  # of top-1


@dataclass(frozen=True)
class Parity:
    """How near an exported tower is to the Keras model it was made of.

    Attributes:
        precision: What it was exported at.
        mean_cosine: Over real inputs.
        min_cosine: Over real inputs.
        synthetic_cosine: Of each synthetic input, by name.
        top1_before: By Keras, of the run's kept samples; None for the fusion.
        top1_after: By the exported tower.
        size_bytes: Of the file.
    """

    precision: str
    mean_cosine: float
    min_cosine: float
    synthetic_cosine: dict[str, float]
    top1_before: float | None
    top1_after: float | None
    size_bytes: int

    @property
    def good(self) -> bool:
        """Whether it lost less than is allowed."""
        lost = (self.top1_before or 0.0) - (self.top1_after or 0.0)
        return self.min_cosine >= MIN_COSINE and lost <= MAX_LOSS

    def to_json(self) -> dict[str, Any]:
        """Return the form that the manifest holds."""
        return {
            "precision": self.precision,
            "mean_cosine": round(self.mean_cosine, 5),
            "min_cosine": round(self.min_cosine, 5),
            "synthetic_cosine": {
                name: round(value, 5) for name, value in self.synthetic_cosine.items()
            },
            "top1_before": self.top1_before,
            "top1_after": self.top1_after,
            "size_bytes": self.size_bytes,
        }


def verify(
    run: Run, tower: str, precision: str, model: keras.Model, path: Path, inputs: Inputs
) -> Parity:
    """Compare an exported tower with Keras on the run's kept inputs and on synthetic ones."""
    exported = TfliteModel(path)
    reference, found = _keras_vectors(model, inputs), _tflite_vectors(exported, inputs)
    cosines = (reference * found).sum(axis=1)
    synthetic = synthetic_inputs(run, tower)
    near = {
        name: float((_keras_vectors(model, one) * _tflite_vectors(exported, one)).sum())
        for name, one in synthetic.items()
    }
    before = after = None
    if tower in EACH_SENSE:
        data = kept_data(run.folder / "calibration.npz")
        labels = data.image_labels if tower == Sense.IMAGE else data.sequence_labels
        before, after = (
            _top1(run, Sense(tower), vectors, labels) for vectors in (reference, found)
        )
    return Parity(
        precision,
        float(cosines.mean()),
        float(cosines.min()),
        near,
        before,
        after,
        path.stat().st_size,
    )


def _keras_vectors(model: keras.Model, inputs: Inputs) -> NDArray[np.float32]:
    names = list(inputs)
    rows = [
        model.predict_on_batch(
            [inputs[name][row] for name in names] if len(names) > 1 else inputs[names[0]][row]
        )
        for row in range(len(inputs[names[0]]))
    ]
    return unit(np.concatenate(rows))


def _tflite_vectors(model: TfliteModel, inputs: Inputs) -> NDArray[np.float32]:
    count = len(next(iter(inputs.values())))
    return unit(
        np.concatenate(
            [
                model({name: values[row] for name, values in inputs.items()})["embedding"]
                for row in range(count)
            ]
        )
    )


def _top1(
    run: Run, sense: Sense, vectors: NDArray[np.float32], labels: NDArray[np.int64]
) -> float | None:
    """Count right answers by one sense, over samples that the run was trained on."""
    if not len(labels):
        return None
    gallery: Gallery = run.gallery()
    fuse = run.heads.fusion_weights().fuse
    fused = np.stack(
        [fuse(vector, None) if sense == "image" else fuse(None, vector) for vector in vectors]
    )
    return round(float((gallery.similarities(fused, sense).argmax(axis=1) == labels).mean()), 4)
