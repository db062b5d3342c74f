"""Parity: an exported tower compared with its Keras model, on real and on synthetic inputs."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from birdfield.model.encoder import unit
from birdfield.model.sense import EACH_SENSE, Sense
from birdfield.model.tflite import TfliteModel
from birdfield_export.convert import build_tower
from birdfield_export.tower_inputs import Inputs, synthetic_inputs, tower_inputs
from birdfield_train.run_encoder import Run

MIN_COSINE = 0.98  # of the worst real input
MAX_LOSS = 0.01  # of top-1


@dataclass(frozen=True)
class Parity:
    """How close an exported tower is to its Keras model.

    Attributes:
        precision: One of `convert.PRECISIONS`.
        mean_cosine: Mean over the real inputs.
        min_cosine: Least over the real inputs.
        synthetic_cosine: By name of the synthetic input.
        top1_before: By Keras, of the samples that the run keeps; None for the fusion.
        top1_after: By the exported tower.
        size_bytes: Size of the file.
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
        """Whether the tower lost at most what MIN_COSINE and MAX_LOSS allow."""
        lost = (self.top1_before or 0.0) - (self.top1_after or 0.0)
        return self.min_cosine >= MIN_COSINE and lost <= MAX_LOSS

    def to_json(self) -> dict[str, object]:
        """Return the entry of a bundle's manifest."""
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

    def __str__(self) -> str:
        """Return the measurements as a line for the user, without the precision."""
        return (
            f"cosine {self.mean_cosine:.4f} mean, {self.min_cosine:.4f} least; "
            f"top-1 of kept samples {self.top1_before} -> {self.top1_after}; "
            f"{self.size_bytes / 1e6:.1f} MB"
        )


def verify(run: Run, tower: str, precision: str, path: Path) -> Parity:
    """Compare an exported tower with Keras, on inputs that the run keeps and on synthetic ones.

    Args:
        run: A complete run.
        tower: One of `convert.TOWERS`.
        precision: Precision of the exported tower.
        path: The exported tower.
    """
    model, exported = build_tower(run, tower, "float"), TfliteModel(path)
    inputs = tower_inputs(run, tower)
    reference, found = _keras_vectors(model, inputs), _tflite_vectors(exported, inputs)
    cosines = (reference * found).sum(axis=1)
    synthetic = {
        name: float((_keras_vectors(model, one) * _tflite_vectors(exported, one)).sum())
        for name, one in synthetic_inputs(run, tower).items()
    }
    before = after = None
    if tower in EACH_SENSE:
        before, after = (_top1(run, Sense(tower), vectors) for vectors in (reference, found))
    return Parity(
        precision,
        float(cosines.mean()),
        float(cosines.min()),
        synthetic,
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
    rows = [
        model({name: values[row] for name, values in inputs.items()})["embedding"]
        for row in range(len(next(iter(inputs.values()))))
    ]
    return unit(np.concatenate(rows))


def _top1(run: Run, sense: Sense, vectors: NDArray[np.float32]) -> float | None:
    """Return the share of correct answers by one sense, for kept samples of the training data."""
    data = run.calibration_data
    labels = data.image_labels if sense == Sense.IMAGE else data.sequence_labels
    if not len(labels):
        return None
    fuse = run.heads.fusion_weights().fuse
    fused = np.stack(
        [fuse(vector, None) if sense == Sense.IMAGE else fuse(None, vector) for vector in vectors]
    )
    answers = run.gallery().similarities(fused, sense).argmax(axis=1)
    return round(float((answers == labels).mean()), 4)
