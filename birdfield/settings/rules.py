"""What a user wants answered: which species, how surely, when; changed while a scene is watched."""

import difflib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError
from birdfield.model.gallery import Gallery
from birdfield.model.species import Species, fold
from birdfield.recognise.decide import Decision
from birdfield.settings.checklist import Checklist, read_checklist, week_of
from birdfield.settings.quiet_hours import Quiet
from birdfield.settings.schema import StationConfig

MAX_NOTES = 100  # events of reloads that wait for the journal

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rules:
    """What is answered; species by label.

    Attributes:
        include: No others are; None for all.
        exclude: These are not.
        threshold: The least score of an answer, 0..1.
        thresholds: That of some species.
        snoozed: Species that are not answered before a time.
        log_prior: By week of the year, what a species counts there then, as natural logarithms
            [N], 0 where it is to be expected; None when every species is at any time.
        quiet: When visits are not recorded; None for never.
    """

    include: frozenset[str] | None = None
    exclude: frozenset[str] = frozenset()
    threshold: float = 0.0
    thresholds: Mapping[str, float] = field(default_factory=dict)
    snoozed: Mapping[str, datetime] = field(default_factory=dict)
    log_prior: Callable[[int], NDArray[np.float64]] | None = None
    quiet: Quiet | None = None

    def allow(self, species: str, score: float, now: datetime) -> bool:
        """Tell whether an answer is wanted at an aware time."""
        if self.include is not None and species not in self.include or species in self.exclude:
            return False
        if species in self.snoozed and now < self.snoozed[species]:
            return False
        return score >= self.thresholds.get(species, self.threshold)

    def judge(self, decision: Decision, now: datetime) -> Decision:
        """Make an answer *unknown* that is not wanted: it is not another species' instead."""
        if decision.species is None or self.allow(decision.species, decision.score, now):
            return decision
        return replace(decision, species=None)


class LiveRules:
    """The rules in force: any thread may change them, the scene's thread follows.

    Attributes:
        current: The rules; replaced as a whole.
        notes: What a reload left to tell the journal: kind and detail.
    """

    def __init__(self, rules: Rules = Rules()) -> None:
        """Start with these."""
        self.current = rules
        self.notes: deque[tuple[str, str]] = deque(maxlen=MAX_NOTES)
        self._weighed: tuple[Rules, Gallery, int, Gallery] | None = None

    def weigh(self, gallery: Gallery, now: datetime) -> Gallery:
        """Return the gallery with what is to be expected now; for the scene's thread only."""
        rules, week = self.current, week_of(now)
        if rules.log_prior is None:
            return gallery
        kept = self._weighed
        # By identity: a gallery keeps its prototypes sorted, which should be done once a week.
        if kept is None or kept[0] is not rules or kept[1] is not gallery or kept[2] != week:
            kept = rules, gallery, week, replace(gallery, log_prior=rules.log_prior(week))
            self._weighed = kept
        return kept[3]


def rules_of(
    config: StationConfig, species: Sequence[Species], quiet: Quiet | None
) -> tuple[Rules, list[str]]:
    """Make the rules that a configuration asks for.

    Args:
        config: What was read.
        species: Of the model, with the names that a user gave them.
        quiet: Quiet hours, by a flag or the configuration.

    Returns:
        The rules, and sentences on the species that the model does not know.

    Raises:
        InputError: When the checklist cannot be read, or holds no species of the model.
    """
    known = {name: each.label for each in reversed(species) for name in _called(each)}
    strangers: list[str] = []

    def label(name: str, *path: str) -> str:
        if fold(name) not in known:
            close = difflib.get_close_matches(fold(name), known, 1)
            strangers.append(
                f"{config.where(*path)} names {name!r}, which the model does not know"
                + (f"; did you mean {known[close[0]]}?" if close else "")
            )
        return known.get(fold(name), name)

    def labels(key: str) -> Iterable[str]:
        return [label(name, *key.split(".")) for name in config[key]]

    def by_label(key: str) -> dict[str, object]:
        return {label(name, *key.split("."), name): value for name, value in config[key].items()}

    checklist = read_checklist(path) if (path := config["species.checklist"]) else None
    if checklist and not any(name in known for name in checklist.weeks):
        raise InputError(
            f"{path}: the model knows none of its species; expected them by label, "
            "scientific name, or a name of the model's or of names.file"
        )
    return Rules(
        frozenset(labels("species.include")) or None,
        frozenset(labels("species.exclude")),
        config["species.threshold"],
        by_label("species.thresholds"),  # type: ignore[arg-type]
        by_label("species.snooze"),  # type: ignore[arg-type]
        prior(checklist, species, config["species.unexpected"]) if checklist else None,
        quiet,
    ), strangers


def _called(species: Species) -> list[str]:
    """Return what a species goes by, folded."""
    return [
        fold(name)
        for name in (*species.names.values(), species.scientific or species.label, species.label)
    ]


def prior(
    checklist: Checklist, species: Sequence[Species], unexpected: float
) -> Callable[[int], NDArray[np.float64]]:
    """Turn a checklist into a prior, by week.

    Args:
        checklist: By any name of a species.
        species: Of the model.
        unexpected: What a species counts in a week in which it is not on the list; 1 on it.
    """
    weeks = [
        frozenset[int]().union(*(checklist.weeks.get(name, frozenset()) for name in _called(each)))
        for each in species
    ]

    def log_prior(week: int) -> NDArray[np.float64]:
        return np.log([1.0 if week in expected else unexpected for expected in weeks])

    return log_prior
