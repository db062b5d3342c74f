"""History: the metrics of each epoch, kept in a CSV file across interruptions."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from birdfield import atomic


@dataclass(frozen=True)
class EpochMetrics:
    """Means over the batches of one epoch.

    Attributes:
        epoch: Number of the epoch, from 1.
        loss: Over the active triplets.
        active: Share of triplets whose loss is above 0, 0..1.
        d_ap: Cosine distance from anchor to positive, 0..2.
        d_an: Cosine distance from anchor to mined negative, 0..2.
        spread: Distance of an embedding from the batch's mean; 0 when all embeddings are equal.
    """

    epoch: int
    loss: float
    active: float
    d_ap: float
    d_an: float
    spread: float

    @classmethod
    def mean_of(cls, epoch: int, batches: Sequence[Mapping[str, float]]) -> "EpochMetrics":
        """Return the means of the batches' metrics, which are named as the attributes."""
        means = {name: float(np.mean([batch[name] for batch in batches])) for name in METRICS}
        return cls(epoch, **means)


METRICS = tuple(entry.name for entry in fields(EpochMetrics) if entry.name != "epoch")
COLUMNS = ("stage", "epoch", *METRICS)


class History:
    """The lines of `history.csv`; each `add` rewrites the file as a whole."""

    def __init__(self, path: Path) -> None:
        """Read the lines of an interrupted run, if there are any."""
        self._path = path
        self._rows: dict[tuple[str, int], dict[str, str]] = {}
        if path.exists():
            with path.open(newline="", encoding="utf-8") as stream:
                for row in csv.DictReader(stream):
                    self._rows[row["stage"], int(row["epoch"])] = row

    def add(self, stage: str, metrics: EpochMetrics) -> None:
        """Add the line of an epoch, or replace the line of the same stage and epoch."""
        values = asdict(metrics)
        self._rows[stage, metrics.epoch] = {
            "stage": stage,
            "epoch": str(metrics.epoch),
            **{name: f"{values[name]:.6f}" for name in METRICS},
        }
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, COLUMNS)
        writer.writeheader()
        writer.writerows(self._rows.values())
        atomic.write_file(self._path, buffer.getvalue().encode())

    def rows(self) -> list[dict[str, str]]:
        """Return the lines by column name, in the order in which they were first added."""
        return list(self._rows.values())
