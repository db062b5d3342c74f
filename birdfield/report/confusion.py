"""The confusion matrix as cells to draw."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST = 60  # species that one picture can name


@dataclass(frozen=True)
class Cell:
    """A square of the matrix: `count` of the n samples of species `row` were answered `column`."""

    row: int
    column: int
    count: int
    n: int


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix without its empty cells.

    Attributes:
        labels: Of its rows and columns.
        cells: Those that are not 0.
        of: How many species there are; more than `labels` when only the most confused are shown.
    """

    labels: tuple[str, ...]
    cells: tuple[Cell, ...]
    of: int


def draw_matrix(counts: NDArray[np.int64], labels: tuple[str, ...]) -> Matrix:
    """Lay out a confusion matrix of the species that were tested or answered.

    Args:
        counts: int64 [S, S], true species by answered species.
        labels: Of the S species.
    """
    wrong = counts - np.diag(np.diag(counts))
    involved = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    mistakes = wrong.sum(axis=0) + wrong.sum(axis=1)
    shown = np.sort(involved[np.argsort(-mistakes[involved], kind="stable")[:MOST]])
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
