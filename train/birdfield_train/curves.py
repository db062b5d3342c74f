"""Pictures of a run: its training curves and its out-of-fold confusion."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np  # noqa: E402  (the backend is chosen first: there may be no screen)
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
CELL, MOST = 0.24, 38.0  # inches: a species' side, and all of theirs: 0.9 GB in memory
NO_GLYPH = "Glyph "  # so matplotlib begins to warn of each character that it has no font for
NAME_PT = 7.0  # of a species' name, where its side is a whole CELL

log = logging.getLogger(__name__)


def draw_curves(rows: Sequence[Mapping[str, str]], path: Path) -> None:
    """Draw loss, active fraction, distances and spread by epoch, a line for each stage."""
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
    """Draw which species was taken for which, by both senses, out of fold; rows sum to 1.

    The picture does not grow beyond MOST: of very many species it shows the pattern, not names.
    """
    shares = np.zeros((len(labels), len(labels)))
    if len(predictions[0]):  # there may be no pair: a data set of one sense
        shares = confusion_matrix(*predictions, labels=range(len(labels)), normalize="true")
    cell = min(CELL, MOST / len(labels))
    side = max(4.0, cell * len(labels) + 2)
    figure, axis = plt.subplots(figsize=(side + 1, side), layout="constrained")
    picture = axis.imshow(shares, vmin=0, vmax=1, cmap="viridis")
    size_pt = NAME_PT * cell / CELL
    axis.set_xticks(range(len(labels)), labels, rotation=90, fontsize=size_pt, parse_math=False)
    axis.set_yticks(range(len(labels)), labels, fontsize=size_pt, parse_math=False)
    axis.set(xlabel="answer", ylabel="species", title="both senses, out of fold")
    figure.colorbar(picture, shrink=0.7)
    with warnings.catch_warnings(record=True) as told:
        warnings.filterwarnings("always", NO_GLYPH)
        figure.savefig(path, dpi=110)
    plt.close(figure)
    for entry in told:
        if not str(entry.message).startswith(NO_GLYPH):
            warnings.warn_explicit(entry.message, entry.category, entry.filename, entry.lineno)
    if any(str(entry.message).startswith(NO_GLYPH) for entry in told):
        log.warning("%s: no font for some names; their characters are boxes", path)
