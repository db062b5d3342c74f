"""Charts: reliability of scores, accuracy of accepted answers, ROC, and top-1 in noise."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from sklearn.metrics import roc_curve

from birdfield.evaluate.figures import Figures, NoiseFigures
from birdfield.evaluate.rejection import Separation
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

MAX_POINTS = 200  # of a curve
LEGEND = {Sense.IMAGE: "sight", Sense.AUDIO: "sound", Sense.BOTH: "both"}


def draw_reliability(figures: Figures) -> list[tuple[Sense, str]]:
    """Draw a reliability diagram for each sense; larger marks stand for more answers."""
    charts = []
    for sense in SENSES:
        bins = figures.by_sense(sense).reliability
        if not bins:
            continue
        axes = new_axes("score of the answer", "share of right answers")
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
        most = max(row.n for row in bins)
        scores = [row.score for row in bins]
        accuracies = [row.accuracy for row in bins]
        axes.plot(scores, accuracies, color=COLOURS[sense], linestyle=LINES[sense], linewidth=1)
        axes.scatter(
            scores,
            accuracies,
            [12 + 60 * row.n / most for row in bins],
            color=COLOURS[sense],
            marker=MARKERS[sense],
            alpha=0.75,
            clip_on=False,
        )
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
        text = "; ".join(f"score {row.score:.2f}: {row.accuracy:.2f} of {row.n}" for row in bins)
        charts.append(
            (
                sense,
                to_svg(
                    axes, f"reliability-{sense}", f"Reliability of {NAMES[sense].lower()}. {text}."
                ),
            )
        )
    return charts


def draw_rejection(evaluation: Evaluation) -> str:
    """Draw the accuracy of accepted answers while all thresholds move together."""
    axes = new_axes("share of test files answered", "share of answers that are right")
    texts = []
    for sense in evaluation.measured():
        scores = evaluation.scores.by_sense(sense)
        kept = scores.correct[np.argsort(-evaluation.scores.margins(sense), kind="stable")]
        count = np.arange(1, len(kept) + 1)
        rows = np.unique(np.linspace(0, len(kept) - 1, MAX_POINTS).astype(int))
        axes.plot(
            (count / len(kept))[rows],
            (np.cumsum(kept) / count)[rows],
            color=COLOURS[sense],
            linestyle=LINES[sense],
            linewidth=WIDTHS[sense],
            label=LEGEND[sense],
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
        texts.append(
            f"{NAMES[sense]}: at the model's thresholds {share:.2f} are answered, of "
            f"which {right:.2f} are right"
        )
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
    add_legend(axes)
    return to_svg(axes, "rejection", "Accuracy of accepted answers. " + "; ".join(texts) + ".")


def draw_roc(separations: Mapping[Sense, Separation], name: str, what: str) -> str | None:
    """Draw the ROC curve of known birds against other samples for each sense.

    Args:
        separations: The margins over unknown, by sense.
        name: The name of the chart.
        what: The other samples, in words.

    Returns:
        The chart, or None when there is nothing to draw.
    """
    axes = new_axes(f"share of {what} accepted", "share of known birds accepted")
    drawn = []
    for sense, found in separations.items():
        if not len(found.known) or not len(found.other):
            continue
        truth = np.concatenate([np.ones(len(found.known)), np.zeros(len(found.other))])
        wrong, right, _ = roc_curve(truth, np.concatenate([found.known, found.other]))
        axes.plot(
            wrong,
            right,
            color=COLOURS[sense],
            linestyle=LINES[sense],
            linewidth=WIDTHS[sense],
            label=LEGEND[sense],
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


def draw_noise(rows: Sequence[NoiseFigures]) -> str | None:
    """Draw top-1 by each sense against the signal-to-noise ratio.

    Lines are means over the kinds of noise; bands reach from the worst kind to the best.

    Args:
        rows: The figures with undamaged pictures.
    """
    levels = sorted({row.snr_db for row in rows if row.snr_db is not None})
    if not levels:
        return None
    clean = [None] if any(row.snr_db is None for row in rows) else []
    ticks: list[int | None] = [*levels, *clean]
    axes = new_axes("signal-to-noise ratio, dB", "top-1")
    texts = []
    for sense in SENSES:
        found = [_top1_at(rows, level, sense) for level in ticks]
        places = [place for place, values in enumerate(found) if values]
        if not places:
            continue
        _draw_band(axes, sense, places, [found[place] for place in places])
        means = ", ".join(
            f"{_level(ticks[row])} {float(np.mean(found[row])):.2f}" for row in places
        )
        texts.append(f"{NAMES[sense]}: {means}")
    axes.set_xticks(range(len(ticks)), [_level(level) for level in ticks])
    axes.set_ylim(-0.02, 1.05)
    add_legend(axes)
    return to_svg(axes, "noise", "Top-1 by signal-to-noise ratio in dB. " + "; ".join(texts) + ".")


def _top1_at(rows: Sequence[NoiseFigures], level: int | None, sense: Sense) -> list[float]:
    """Return top-1 of each kind of noise at a level."""
    return [top1 for row in rows if row.snr_db == level and (top1 := row.top1(sense)) is not None]


def _draw_band(
    axes: Axes, sense: Sense, places: Sequence[int], found: Sequence[Sequence[float]]
) -> None:
    """Draw the mean at each place as a line, and the range as a band."""
    axes.fill_between(
        places,
        [min(values) for values in found],
        [max(values) for values in found],
        color=COLOURS[sense],
        alpha=0.15,
        linewidth=0,
    )
    axes.plot(
        places,
        [float(np.mean(values)) for values in found],
        color=COLOURS[sense],
        marker=MARKERS[sense],
        markersize=5,
        linestyle=LINES[sense],
        linewidth=WIDTHS[sense],
        label=LEGEND[sense],
    )


def _level(level: int | None) -> str:
    return "clean" if level is None else str(level)
