"""Run pictures: the training curves and the confusion matrix of cross-validation."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # before pyplot is imported, because there may be no screen

import numpy as np  # noqa: E402
from matplotlib import pyplot as plt  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from sklearn.metrics import confusion_matrix  # noqa: E402

PANELS = (
    ("loss", "mean over active triplets"),
    ("active", "fraction of triplets"),
    ("d_ap", "cosine distance"),
    ("d_an", "cosine distance"),
    ("spread", "distance"),
)
CELL_INCHES = 0.24  # side of a species
MAX_INCHES = 38.0  # side of all species; such a picture needs 0.9 GB of memory
MIN_INCHES = 4.0
NAME_PT = 7.0  # size of a name beside a cell of CELL_INCHES
NO_GLYPH = "Glyph "  # the start of matplotlib's warning of a character that its font lacks

log = logging.getLogger(__name__)


def draw_curves(rows: Sequence[Mapping[str, str]], path: Path) -> None:
    """Draw loss, active share, distances and spread by epoch, with a line for each stage.

    Args:
        rows: Lines of `history.History`.
        path: The PNG file to write.
    """
    figure, axes = plt.subplots(1, len(PANELS), figsize=(16, 3.2), layout="constrained")
    stages = list(dict.fromkeys(row["stage"] for row in rows))
    for axis, (name, unit) in zip(axes, PANELS, strict=True):
        for stage in stages:
            points = [row for row in rows if row["stage"] == stage]
            axis.plot(
                [int(row["epoch"]) for row in points],
                [float(row[name]) for row in points],
                label=stage,
                color="black" if stage == "final" else None,
                linewidth=2 if stage == "final" else 1,
            )
        axis.set(title=name, xlabel="epoch", ylabel=unit)
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=7)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_confusion(
    predictions: tuple[NDArray[np.int64], NDArray[np.int64]], labels: Sequence[str], path: Path
) -> None:
    """Draw the share of each answer for each species, by both senses; rows sum to 1.

    The picture is at most MAX_INCHES wide: with very many species it shows the pattern, and the
    names are too small to read.

    Args:
        predictions: The true and the predicted species, int64 [P] each.
        labels: The species' labels.
        path: The PNG file to write.
    """
    shares = np.zeros((len(labels), len(labels)))
    if len(predictions[0]):  # there is no pair in a data set of one sense
        shares = confusion_matrix(*predictions, labels=range(len(labels)), normalize="true")
    cell = min(CELL_INCHES, MAX_INCHES / len(labels))
    side = max(MIN_INCHES, cell * len(labels) + 2)
    figure, axis = plt.subplots(figsize=(side + 1, side), layout="constrained")
    picture = axis.imshow(shares, vmin=0, vmax=1, cmap="viridis")
    size_pt = NAME_PT * cell / CELL_INCHES
    axis.set_xticks(range(len(labels)), labels, rotation=90, fontsize=size_pt, parse_math=False)
    axis.set_yticks(range(len(labels)), labels, fontsize=size_pt, parse_math=False)
    axis.set(xlabel="answer", ylabel="species", title="both senses, cross-validation")
    figure.colorbar(picture, shrink=0.7)
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", NO_GLYPH)
        figure.savefig(path, dpi=110)
    plt.close(figure)
    _report_glyphs(caught, path)


def _report_glyphs(caught: Sequence[warnings.WarningMessage], path: Path) -> None:
    """Log one line for all missing characters, and issue all other warnings again."""
    for entry in caught:
        if not str(entry.message).startswith(NO_GLYPH):
            warnings.warn_explicit(entry.message, entry.category, entry.filename, entry.lineno)
    if any(str(entry.message).startswith(NO_GLYPH) for entry in caught):
        log.warning("%s: no font for some names; their characters are boxes", path)
