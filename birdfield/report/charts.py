"""The report's charts: what a score is worth, what thresholds do, what noise does."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import roc_curve

from birdfield.evaluate.unknown import Separation
from birdfield.model.gallery import margin_over_unknown
from birdfield.model.sense import SENSES, Sense
from birdfield.report.evaluation import Evaluation
from birdfield.report.svg import (
    COLOURS,
    INK,
    LINES,
    MARKERS,
    MUTED,
    WIDTHS,
    add_legend,
    new_axes,
    to_svg,
)
from birdfield.report.tables import NAMES

POINTS = 200  # of a curve, at most
SHORT = {Sense.IMAGE: "sight", Sense.AUDIO: "sound", Sense.BOTH: Sense.BOTH}  # in a legend


def draw_reliability(figures: Mapping[str, Any]) -> list[tuple[Sense, str]]:
    """Draw for each sense how often answers of each score are right, marks by their number."""
    charts = []
    for sense in SENSES:
        bins = [row for row in figures[sense].get("reliability") or () if row["n"]]
        if not bins:
            continue
        axes = new_axes("score of the answer", "share of right answers")
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
        most = max(row["n"] for row in bins)
        scores = [row["score"] for row in bins]
        accuracies = [row["accuracy"] for row in bins]
        axes.plot(scores, accuracies, color=COLOURS[sense], linestyle=LINES[sense], linewidth=1)
        axes.scatter(
            scores,
            accuracies,
            [12 + 60 * row["n"] / most for row in bins],
            color=COLOURS[sense],
            marker=MARKERS[sense],
            alpha=0.75,
            clip_on=False,
        )
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
        said = "; ".join(
            f"score {row['score']:.2f}: {row['accuracy']:.2f} of {row['n']}" for row in bins
        )
        charts.append(
            (
                sense,
                to_svg(
                    axes, f"reliability-{sense}", f"Reliability of {NAMES[sense].lower()}. {said}."
                ),
            )
        )
    return charts


def draw_rejection(evaluation: Evaluation) -> str:
    """Draw the accuracy of the answers that are kept when all thresholds move together."""
    axes = new_axes("share of test files answered", "share of those that is right")
    said = []
    for sense in evaluation.measured():
        scores = evaluation.scores(sense)
        excess = margin_over_unknown(
            scores.similarities, scores.background_similarities, evaluation.gallery, sense
        )
        kept = scores.correct[np.argsort(-excess, kind="stable")]
        count = np.arange(1, len(kept) + 1)
        rows = np.unique(np.linspace(0, len(kept) - 1, POINTS).astype(int))
        axes.plot(
            (count / len(kept))[rows],
            (np.cumsum(kept) / count)[rows],
            color=COLOURS[sense],
            linestyle=LINES[sense],
            linewidth=WIDTHS[sense],
            label=SHORT[sense],
        )
        share = float(scores.accepted.mean())
        right = float(scores.correct[scores.accepted].mean()) if share else 0.0
        axes.plot(
            [share],
            [right],
            color=COLOURS[sense],
            marker=MARKERS[sense],
            markersize=8,
            markeredgecolor=INK,
        )
        said.append(
            f"{NAMES[sense]}: at the model's thresholds {share:.2f} are answered, of "
            f"which {right:.2f} are right"
        )
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
    add_legend(axes)
    return to_svg(axes, "rejection", "Accuracy of accepted answers. " + "; ".join(said) + ".")


def draw_roc(separations: Mapping[Sense, Separation], name: str, what: str) -> str | None:
    """Draw how many strangers pass as known at each share of known birds that pass, by sense.

    Args:
        separations: By sense.
        name: Of the chart.
        what: The strangers, in words.

    Returns:
        The chart, or None when nothing was measured.
    """
    axes = new_axes(f"share of {what} taken for known", "share of known birds kept")
    drawn = []
    for sense, found in separations.items():
        if not len(found.known) or not len(found.strange):
            continue
        truth = np.concatenate([np.ones(len(found.known)), np.zeros(len(found.strange))])
        wrong, right, _ = roc_curve(truth, np.concatenate([found.known, found.strange]))
        axes.plot(
            wrong,
            right,
            color=COLOURS[sense],
            linestyle=LINES[sense],
            linewidth=WIDTHS[sense],
            label=SHORT[sense],
        )
        drawn.append(NAMES[sense].lower())
    if not drawn:
        return None
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
    add_legend(axes)
    return to_svg(
        axes,
        f"roc-{name}",
        f"Receiver operating characteristic, known birds against "
        f"{what}, by {', '.join(drawn)}; areas are in the table.",
    )


def draw_noise(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Draw top-1 by each sense against the loudness of the bird over the noise.

    Lines are means over the kinds of noise, bands reach from the worst kind to the best.

    Args:
        rows: Of the figures' "noise", those with an undamaged picture.
    """
    levels = sorted({row["snr_db"] for row in rows if row["snr_db"] is not None})
    if not levels:
        return None
    ticks: list[float | None] = (
        [*levels, None] if any(row["snr_db"] is None for row in rows) else [*levels]
    )
    axes = new_axes("bird above noise, dB", "top-1")
    said = []
    for sense in SENSES:
        found = [
            [
                row[f"{sense}_top1"]
                for row in rows
                if row["snr_db"] == level and row.get(f"{sense}_top1") is not None
            ]
            for level in ticks
        ]
        places = [place for place, values in enumerate(found) if values]
        if not places:
            continue
        means = [float(np.mean(found[place])) for place in places]
        axes.fill_between(
            places,
            [min(found[place]) for place in places],
            [max(found[place]) for place in places],
            color=COLOURS[sense],
            alpha=0.15,
            linewidth=0,
        )
        axes.plot(
            places,
            means,
            color=COLOURS[sense],
            marker=MARKERS[sense],
            markersize=5,
            linestyle=LINES[sense],
            linewidth=WIDTHS[sense],
            label=SHORT[sense],
        )
        said.append(
            f"{NAMES[sense]}: "
            + ", ".join(
                f"{_level(ticks[place])} {mean:.2f}"
                for place, mean in zip(places, means, strict=True)
            )
        )
    axes.set_xticks(range(len(ticks)), [_level(level) for level in ticks])
    axes.set_ylim(-0.02, 1.05)
    add_legend(axes)
    return to_svg(axes, "noise", "Top-1 by loudness over noise in dB. " + "; ".join(said) + ".")


def _level(level: float | None) -> str:
    return "clean" if level is None else f"{level:g}"
