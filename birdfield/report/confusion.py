"""Confusion matrix: lays out counts as cells to draw."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_SPECIES = 60  # named in one picture


@dataclass(frozen=True)
class Cell:
    """A cell of the matrix: species `column` is the answer to `count` of `n` samples of `row`."""

    row: int
    column: int
    count: int
    n: int


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix without its empty cells.

    Attributes:
        labels: The species of its rows and columns.
        cells: The cells with a count.
        of: All species; more than `labels` when only the most confused are shown.
    """

    labels: tuple[str, ...]
    cells: tuple[Cell, ...]
    of: int


def layout_matrix(counts: NDArray[np.int64], labels: tuple[str, ...]) -> Matrix:
    """Lay out a confusion matrix of the species that were tested or answered.

    Args:
        counts: int64 [S, S], true species by answered species.
        labels: The S species.
    """
    wrong = counts - np.diag(np.diag(counts))
    involved = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    mistakes = wrong.sum(axis=0) + wrong.sum(axis=1)
    shown = np.sort(involved[np.argsort(-mistakes[involved], kind="stable")[:MAX_SPECIES]])
    totals = counts.sum(axis=1)
    part = counts[np.ix_(shown, shown)]
    return Matrix(
        tuple(labels[index] for index in shown),
        tuple(
            Cell(int(row), int(column), int(part[row, column]), int(totals[shown[row]]))
            for row, column in np.argwhere(part)
        ),
        len(involved),
    )
