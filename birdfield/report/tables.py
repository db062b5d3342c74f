"""The rows of the report's tables."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from birdfield.model.sense import SENSES, Sense
from birdfield.report.evaluation import Evaluation

NAMES = {
    Sense.IMAGE: "Sight",
    Sense.AUDIO: "Sound",
    Sense.BOTH: "Sight and sound",
    "late": "Late fusion of the two",
}


@dataclass(frozen=True)
class Headline:
    """A row of the headline table; None is what was not measured."""

    sense: str
    name: str
    top1: float | None
    low: float | None
    high: float | None
    n: int
    recall: float | None
    precision: float | None
    ece: float | None


@dataclass(frozen=True)
class Tally:
    """How many of a species' n samples of one sense were answered rightly."""

    n: int
    right: int

    @property
    def top1(self) -> float | None:
        """The share, 0..1, or None of nothing."""
        return self.right / self.n if self.n else None


@dataclass(frozen=True)
class SpeciesRow:
    """A row of the species' table.

    Attributes:
        label: The species.
        scientific: Its scientific name, if it is known.
        tallies: By sense.
        confusion: What it is most often taken for, or None.
        confusions: How many times, over all senses.
    """

    label: str
    scientific: str | None
    tallies: Mapping[str, Tally]
    confusion: str | None
    confusions: int


@dataclass(frozen=True)
class Confusion:
    """One species taken for another by one sense, `count` times of `n`."""

    sense: Sense
    truth: str
    answer: str
    count: int
    n: int


def headlines(figures: Mapping[str, Any]) -> list[Headline]:
    """Lay out the figures of each sense and of late fusion; a sense without files has a row too."""
    rows = []
    for sense in (*SENSES, "late"):
        entry = figures["late_fusion" if sense == "late" else sense]
        low, high = entry.get("top1_ci95", (None, None))
        rows.append(
            Headline(
                sense,
                NAMES[sense],
                entry["top1"],
                low,
                high,
                entry["n"],
                entry.get("recall_at_1"),
                entry.get("map_at_r"),
                entry.get("ece"),
            )
        )
    return rows


def missing_senses(figures: Mapping[str, Any]) -> list[tuple[str, str, float, float]]:
    """Tell what remains without a sense, on the same pairs.

    Returns:
        Rows of a sense or "late", what is there, top-1, and the change against both senses; none
        when there are no pairs.
    """
    both = figures[Sense.BOTH]
    if not both["n"]:
        return []
    rows = [
        (Sense.BOTH, "Both senses", both["top1"]),
        (Sense.IMAGE, "Hearing is missing: sight alone", both["image_top1"]),
        (Sense.AUDIO, "Sight is missing: sound alone", both["audio_top1"]),
        (
            "late",
            "Both, each judged alone and then joined (late fusion)",
            figures["late_fusion"]["top1"],
        ),
    ]
    return [(sense, text, top1, top1 - both["top1"]) for sense, text, top1 in rows]


def species_rows(evaluation: Evaluation) -> list[SpeciesRow]:
    """Make a row for each species with test files, in the order of the gallery."""
    answers = {sense: evaluation.answers(sense) for sense in SENSES}
    truths = {sense: evaluation.scores(sense).labels for sense in SENSES}
    labels = evaluation.gallery.labels
    rows = []
    for index in sorted({int(label) for sense in SENSES for label in truths[sense]}):
        given = {sense: answers[sense][truths[sense] == index] for sense in SENSES}
        wrong = Counter(
            int(answer) for sense in SENSES for answer in given[sense] if answer != index
        )
        confusion = max(wrong, key=lambda answer: wrong[answer], default=None)
        rows.append(
            SpeciesRow(
                labels[index],
                evaluation.gallery.species[index].scientific,
                {
                    sense: Tally(len(given[sense]), int((given[sense] == index).sum()))
                    for sense in SENSES
                },
                None if confusion is None else labels[confusion],
                0 if confusion is None else wrong[confusion],
            )
        )
    return rows


def confusion_counts(evaluation: Evaluation, sense: Sense) -> NDArray[np.int64]:
    """Count answers, int64 [S, S]: rows are the true species, columns what was answered."""
    size = len(evaluation.gallery.labels)
    pairs = evaluation.scores(sense).labels * size + evaluation.answers(sense)
    return np.bincount(pairs, minlength=size * size).reshape(size, size).astype(np.int64)


def frequent_confusions(
    counts: NDArray[np.int64], labels: tuple[str, ...], sense: Sense, most: int
) -> list[Confusion]:
    """List the confusions with the largest share of their species' samples, by one sense."""
    totals = counts.sum(axis=1)
    wrong = [(truth, answer) for truth, answer in np.argwhere(counts) if truth != answer]
    wrong.sort(key=lambda cell: (-counts[cell] / totals[cell[0]], -counts[cell], *cell))
    return [
        Confusion(
            sense, labels[truth], labels[answer], int(counts[truth, answer]), int(totals[truth])
        )
        for truth, answer in wrong[:most]
    ]
