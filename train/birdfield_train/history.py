"""The CSV log of a run: a line an epoch, whatever was interrupted and resumed."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from birdfield import atomic

COLUMNS = ("stage", "epoch", "loss", "active", "d_ap", "d_an", "spread")


class History:
    """The lines of `history.csv`; each `add` rewrites the file whole."""

    def __init__(self, path: Path) -> None:
        """Take up the lines of an interrupted run."""
        self._path = path
        self._rows: dict[tuple[str, int], dict[str, str]] = {}
        if path.exists():
            with path.open(newline="", encoding="utf-8") as stream:
                for row in csv.DictReader(stream):
                    self._rows[row["stage"], int(row["epoch"])] = row

    def add(self, stage: str, measured: Mapping[str, float]) -> None:
        """Add the line of an epoch, in place of an earlier one of the same epoch."""
        epoch = int(measured["epoch"])
        self._rows[stage, epoch] = {
            "stage": stage,
            "epoch": str(epoch),
            **{name: f"{measured[name]:.6f}" for name in COLUMNS[2:]},
        }
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, COLUMNS)
        writer.writeheader()
        writer.writerows(self._rows.values())
        atomic.write_file(self._path, buffer.getvalue().encode())

    def rows(self) -> list[dict[str, str]]:
        """Return the lines in the order in which they were first added."""
        return list(self._rows.values())
