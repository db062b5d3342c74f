"""Rules: decide which answers a user wants, and which species are expected in a week."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from birdfield.model.gallery import Gallery
from birdfield.model.species import Species
from birdfield.recognise.decide import Decision
from birdfield.recognise.reason import Figure, Measure, Reason
from birdfield.settings.checklist import read_checklist, week_of
from birdfield.settings.configuration import StationConfig
from birdfield.settings.named_species import NamedSpecies
from birdfield.settings.quiet_hours import QuietHours

MAX_NOTES = 100  # events of reloads that wait for the journal

Value = TypeVar("Value")
LogPrior = Callable[[int], NDArray[np.float64]]  # by week of the year: ln of factors, [species]


@dataclass(frozen=True)
class Rules:
    """The answers that a user wants; species by label.

    Attributes:
        include: The only species that are answered; None for all.
        exclude: Species that are not answered.
        threshold: The least score of an answer, 0..1.
        thresholds: The least score of an answer of one species, in place of `threshold`.
        snoozed: The aware time before which a species is not answered.
        log_prior: Natural logarithms of factors, one a species, by week of the year: 0 for a
            species that is expected in the week; None if each is expected at any time.
        quiet: The time of day in which no visits are recorded; None for never.
    """

    include: frozenset[str] | None = None
    exclude: frozenset[str] = frozenset()
    threshold: float = 0.0
    thresholds: Mapping[str, float] = field(default_factory=dict)
    snoozed: Mapping[str, datetime] = field(default_factory=dict)
    log_prior: LogPrior | None = None
    quiet: QuietHours | None = None

    def allow(self, species: str, score: float, now: datetime) -> bool:
        """Return whether an answer is wanted at an aware time."""
        return self.refusal(species, score, now) is None

    def refusal(self, species: str, score: float, now: datetime) -> Reason | None:
        """Return why an answer is not wanted at an aware time; None for one that is."""
        if self.include is not None and species not in self.include or species in self.exclude:
            return Reason.EXCLUDED
        if species in self.snoozed and now < self.snoozed[species]:
            return Reason.SNOOZED
        return Reason.BELOW_THRESHOLD if score < self.least_score(species) else None

    def least_score(self, species: str) -> float:
        """Return the least score of an answer of a species."""
        return self.thresholds.get(species, self.threshold)

    def apply(self, decision: Decision, now: datetime) -> Decision:
        """Return a decision, or *unknown* in its place if its answer is not wanted.

        The next species does not replace an answer that is not wanted: it would be wrong.
        """
        species, score = decision.species, decision.score
        if species is None or (reason := self.refusal(species, score, now)) is None:
            return decision
        figure = None
        if reason == Reason.BELOW_THRESHOLD:
            figure = Figure(Measure.SCORE, score, self.least_score(species))
        return replace(decision, species=None, reason=reason, refused=species, figure=figure)


class LiveRules:
    """The rules in force: any thread may replace them, the scene's thread reads them.

    Attributes:
        current: The rules, replaced as a whole.
        notes: Events of reloads for the journal: kind and detail.
    """

    def __init__(self, rules: Rules = Rules()) -> None:
        """Start with these rules."""
        self.current = rules
        self.notes: deque[tuple[str, str]] = deque(maxlen=MAX_NOTES)
        self._gallery_of_week: tuple[Rules, Gallery, int, Gallery] | None = None

    def with_prior(self, gallery: Gallery, now: datetime) -> Gallery:
        """Return a gallery with the prior of the week; for the scene's thread only."""
        rules, week = self.current, week_of(now)
        if rules.log_prior is None:
            return gallery
        kept = self._gallery_of_week
        # Compare by identity: a new gallery sorts its prototypes, which is slow, so that is done
        # once a week.
        if kept is None or kept[0] is not rules or kept[1] is not gallery or kept[2] != week:
            kept = rules, gallery, week, replace(gallery, log_prior=rules.log_prior(week))
            self._gallery_of_week = kept
        return kept[3]


def rules_of(config: StationConfig, species: Sequence[Species], quiet: QuietHours | None) -> Rules:
    """Return the rules that a configuration asks for.

    Args:
        config: The configuration.
        species: The species of the model, with the names that the user gave them.
        quiet: The quiet hours, by an option or the configuration.

    Raises:
        InputError: If the checklist cannot be read.
        ConfigError: If the configuration or the checklist names a species that the model does not
            know, or uses a name of several species.
    """
    labels = NamedSpecies(config, species)
    wanted = config.settings.species
    checklist = read_checklist(wanted.checklist) if wanted.checklist else None
    rules = Rules(
        labels.of("include", wanted.include) or None,
        labels.of("exclude", wanted.exclude),
        wanted.threshold,
        labels.keyed("thresholds", wanted.thresholds),
        labels.keyed("snooze", wanted.snooze),
        weekly_prior(labels.weeks(checklist), species, wanted.unexpected) if checklist else None,
        quiet,
    )
    labels.check()
    return rules


def weekly_prior(
    weeks: Mapping[str, frozenset[int]], species: Sequence[Species], unexpected: float
) -> LogPrior:
    """Return the prior over a model's species that a checklist describes, by week.

    Args:
        weeks: The weeks of the year, 1..53, in which species are expected, by label.
        species: The species of the model.
        unexpected: The factor for a species in a week in which it is not on the list, 0..1.
    """
    expected = [weeks.get(each.label, frozenset()) for each in species]

    def log_prior(week: int) -> NDArray[np.float64]:
        return np.log([1.0 if week in own else unexpected for own in expected])

    return log_prior
