"""Tally: sums answers up by species, and writes them as labels for a sound editor."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from birdfield.model.names import LABELS_ONLY, Names
from birdfield.recognise.observation import Observation, escape_formula
from birdfield.recognise.reason import Figure, Measure, Reason

RAVEN_COLUMNS = (
    "Selection",
    "View",
    "Channel",
    "Begin Time (s)",
    "End Time (s)",
    "Low Freq (Hz)",
    "High Freq (Hz)",
    "Species",
    "Score",
)


def with_least_score(observations: Iterable[Observation], least: float) -> Iterator[Observation]:
    """Yield observations; an answer with a lower score becomes *unknown*."""
    for each in observations:
        decision = each.decision
        if decision.species is None or decision.score >= least:
            yield each
            continue
        refused = replace(
            decision,
            species=None,
            reason=Reason.BELOW_THRESHOLD,
            refused=decision.species,
            figure=Figure(Measure.SCORE, decision.score, least),
        )
        yield replace(each, decision=refused)


@dataclass(frozen=True)
class Label:
    """A stretch of a recording in which a species was heard.

    Attributes:
        species: Its label.
        score: Its score, 0..1.
        start_s: The start in the recording; None for a photograph.
        end_s: The end, likewise.
    """

    species: str
    score: float
    start_s: float | None
    end_s: float | None


class Tally:
    """The known answers among observations.

    Attributes:
        labels: The known answers, in their order.
        answers: The number of all answers.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.labels: list[Label] = []
        self.answers = 0

    def follow(self, observations: Iterable[Observation]) -> Iterator[Observation]:
        """Yield observations, and add them up."""
        for each in observations:
            self.answers += 1
            if (species := each.decision.species) is not None:
                self.labels.append(Label(species, each.decision.score, each.start_s, each.end_s))
            yield each

    def summary(self, names: Names = LABELS_ONLY) -> list[str]:
        """Return a line for each species, the most frequent first, and one for the unknown."""
        lines = [
            f"{names.full(species)}: {_answers(len(labels))}, best {_best(labels)}"
            for species, labels in self._by_species()
        ]
        return [*lines, f"unknown: {_answers(self.answers - len(self.labels))}"]

    def _by_species(self) -> list[tuple[str, list[Label]]]:
        found: dict[str, list[Label]] = {}
        for label in self.labels:
            found.setdefault(label.species, []).append(label)
        return sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))


def _answers(count: int) -> str:
    return f"{count} answer{'' if count == 1 else 's'}"


def _best(labels: Sequence[Label]) -> str:
    best = max(labels, key=lambda label: label.score)
    at = "" if best.start_s is None else f" at {best.start_s:.1f} s"
    return f"{best.score:.2f}{at}"


def to_raven(labels: Iterable[Label], high_hz: float) -> bytes:
    """Return labels of one recording as a Raven selection table, from 0 Hz to `high_hz`."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
    writer.writerow(RAVEN_COLUMNS)
    timed = [label for label in labels if label.start_s is not None]
    for number, label in enumerate(timed, 1):
        species = escape_formula(label.species)
        span = f"{label.start_s:.3f}", f"{label.end_s:.3f}"
        score = round(label.score, 4)
        writer.writerow([number, "Spectrogram 1", 1, *span, 0, round(high_hz), species, score])
    return stream.getvalue().encode()


def to_audacity(labels: Iterable[Label]) -> bytes:
    """Return labels of one recording as Audacity reads them: start, end and species by tabs."""
    return "".join(
        f"{label.start_s:.6f}\t{label.end_s:.6f}\t{escape_formula(label.species)}\n"
        for label in labels
        if label.start_s is not None
    ).encode()
