"""Tables: computes the rows of the report's tables."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birdfield.evaluate.figures import Figures
from birdfield.model.sense import SENSES, Sense
from birdfield.report.evaluation import Evaluation

NAMES = {  # "late" is not a sense, but has rows beside them
    Sense.IMAGE: "Sight",
    Sense.AUDIO: "Sound",
    Sense.BOTH: "Sight and sound",
    "late": "Late fusion of the two",
}


@dataclass(frozen=True)
class Headline:
    """A row of the headline table; None where not measured."""

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
    """The right answers among the `n` samples of a species by one sense."""

    n: int
    right: int

    @property
    def top1(self) -> float | None:
        """The share of right answers, 0..1; None without a sample."""
        return self.right / self.n if self.n else None


@dataclass(frozen=True)
class SpeciesRow:
    """A row of the species' table.

    Attributes:
        label: The species.
        scientific: Its scientific name, or None.
        tallies: Right answers by sense.
        confusion: The most frequent wrong answer, or None.
        confusions: How often that answer occurs, over all senses.
    """

    label: str
    scientific: str | None
    tallies: Mapping[Sense, Tally]
    confusion: str | None
    confusions: int


@dataclass(frozen=True)
class Confusion:
    """A wrong answer by one sense to `count` of the `n` samples of a species."""

    sense: Sense
    truth: str
    answer: str
    count: int
    n: int


def headlines(figures: Figures) -> list[Headline]:
    """Return a row for each sense, also for one without files, and for late fusion."""
    rows = []
    for sense in SENSES:
        entry = figures.by_sense(sense)
        rows.append(
            Headline(
                sense,
                NAMES[sense],
                entry.top1,
                *entry.top1_ci95,
                entry.n,
                entry.recall_at_1,
                entry.map_at_r,
                entry.ece,
            )
        )
    late = figures.late_fusion
    return [
        *rows,
        Headline("late", NAMES["late"], late.top1, None, None, late.n, None, None, None),
    ]


@dataclass(frozen=True)
class MissingSense:
    """A row of the table of missing senses.

    Attributes:
        sense: A sense, or "late".
        text: What is missing.
        top1: 0..1.
        change: The change of top-1 against both senses.
    """

    sense: str
    text: str
    top1: float
    change: float


def missing_senses(figures: Figures) -> list[MissingSense]:
    """Return top-1 with and without each sense on the same pairs; no row without pairs."""
    both, late = figures.both, figures.late_fusion
    if both.top1 is None:
        return []
    rows = (
        (Sense.BOTH, "Both senses", both.top1),
        (Sense.IMAGE, "No sound: sight alone", both.image_top1),
        (Sense.AUDIO, "No picture: sound alone", both.audio_top1),
        ("late", "Both, answered separately, then joined (late fusion)", late.top1),
    )
    return [
        MissingSense(sense, text, top1, top1 - both.top1)
        for sense, text, top1 in rows
        if top1 is not None
    ]


def species_rows(evaluation: Evaluation) -> list[SpeciesRow]:
    """Return a row for each species with test files, in the order of the gallery."""
    answers = {sense: evaluation.scores.by_sense(sense).answers for sense in SENSES}
    truths = {sense: evaluation.scores.by_sense(sense).labels for sense in SENSES}
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
    """Count answers, int64 [S, S]: true species in rows, answers in columns."""
    size = len(evaluation.gallery.labels)
    scores = evaluation.scores.by_sense(sense)
    pairs = scores.labels * size + scores.answers
    return np.bincount(pairs, minlength=size * size).reshape(size, size).astype(np.int64)


def frequent_confusions(
    counts: NDArray[np.int64], labels: tuple[str, ...], sense: Sense, most: int
) -> list[Confusion]:
    """Return the confusions with the largest shares of their species' samples."""
    totals = counts.sum(axis=1)
    wrong = [(truth, answer) for truth, answer in np.argwhere(counts) if truth != answer]
    wrong.sort(key=lambda cell: (-counts[cell] / totals[cell[0]], -counts[cell], *cell))
    return [
        Confusion(
            sense, labels[truth], labels[answer], int(counts[truth, answer]), int(totals[truth])
        )
        for truth, answer in wrong[:most]
    ]
