"""Calibration: the temperatures and thresholds that give a model's similarities a meaning."""

from dataclasses import dataclass

import numpy as np

from birdfield.model.json_fields import JsonFields
from birdfield.model.sense import SENSES


@dataclass(frozen=True)
class Calibration:
    """Meaning of the similarities of one model, fitted on out-of-fold samples.

    Attributes:
        temperature: Divisor of cosine similarities before the softmax, by SENSES.
        threshold: Similarity below which an answer is *unknown*, by SENSES, for a species without
            thresholds of its own.
        late_weight: Weight of the log-probability by sound in late fusion; that by sight is 1.
    """

    temperature: tuple[float, float, float]
    threshold: tuple[float, float, float]
    late_weight: float

    def to_json(self) -> dict[str, object]:
        """Return the form that manifests and runs hold."""
        return {
            "temperature": dict(zip(SENSES, self.temperature, strict=True)),
            "threshold": dict(zip(SENSES, self.threshold, strict=True)),
            "late_weight": self.late_weight,
        }

    @classmethod
    def from_json(cls, value: object) -> "Calibration":
        """Read such an entry; raises ValueError when it is malformed."""
        fields = JsonFields(value, "calibration")
        calibration = cls(
            _by_sense(fields.fields("temperature")),
            _by_sense(fields.fields("threshold")),
            fields.number("late_weight"),
        )
        values = (*calibration.temperature, *calibration.threshold, calibration.late_weight)
        if not np.isfinite(values).all() or min(calibration.temperature) <= 0:
            raise ValueError(
                f"calibration is {calibration}, expected finite numbers and temperatures above 0"
            )
        return calibration


def _by_sense(fields: JsonFields) -> tuple[float, float, float]:
    image, audio, both = (fields.number(sense) for sense in SENSES)
    return image, audio, both
