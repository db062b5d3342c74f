"""History: sums up the visits of a period by species, hour, day and sense."""

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from birdfield.journal.database import Journal
from birdfield.journal.queries import AFTER_ANY_TIME, Selection, events_of, visits_of
from birdfield.journal.records import UNDECIDED, VisitRecord
from birdfield.journal.times import utc_text
from birdfield.model.sense import Sense

HOURS = 24
BEST_VISITS = 2  # visits of each species whose evidence is shown
MAX_UNDECIDED = 20  # undecided visits that are listed, the newest
MAX_DAYS = 31  # days of a picture by day; a longer history has a picture by week


@dataclass
class SpeciesSummary:
    """The visits of one species in a period, summed up one by one.

    Attributes:
        label: The species, or UNDECIDED.
        scientific: The scientific name, if the first visit has it.
        first: The first visit.
        last: The last visit so far.
        arrived: Whether the first visit is the first of its species in the whole journal.
        score: The highest score.
        hours: The number of visits by the hour of their start, local time then.
        days: The number of visits by the day of their start.
        senses: The number of visits by sense.
        best: The visits with the best evidence, the best first.
    """

    label: str
    scientific: str | None
    first: VisitRecord
    last: VisitRecord
    arrived: bool = False
    score: float = 0.0
    hours: list[int] = field(default_factory=lambda: [0] * HOURS)
    days: Counter[date] = field(default_factory=Counter)
    senses: Counter[Sense] = field(default_factory=Counter)
    best: list[VisitRecord] = field(default_factory=list)

    @property
    def visits(self) -> int:
        """The number of visits."""
        return sum(self.hours)

    def add(self, visit: VisitRecord) -> None:
        """Add the next visit, in the order of their start."""
        self.last = visit
        self.score = max(self.score, visit.score)
        self.hours[visit.started.hour] += 1
        self.days[visit.started.date()] += 1
        self.senses[visit.senses] += 1
        if visit.picture or visit.sonogram:
            self.best = heapq.nlargest(BEST_VISITS, [*self.best, visit], key=_evidence_rank)


@dataclass(frozen=True)
class History:
    """The visits and events of a period, summed up.

    Attributes:
        species: A summary for each species, the most frequent first, UNDECIDED last.
        undecided: The newest undecided visits, the newest first.
        events: The number and the last time of events, by kind.
        began: The time of the journal's first visit; None for an empty journal.
    """

    species: tuple[SpeciesSummary, ...]
    undecided: tuple[VisitRecord, ...]
    events: Mapping[str, tuple[int, datetime]]
    began: datetime | None

    @property
    def visits(self) -> int:
        """The number of visits, with undecided ones."""
        return sum(row.visits for row in self.species)

    @property
    def named(self) -> tuple[SpeciesSummary, ...]:
        """The summaries of species, without UNDECIDED."""
        return tuple(row for row in self.species if row.label != UNDECIDED)

    @property
    def arrivals(self) -> tuple[SpeciesSummary, ...]:
        """The summaries of species that are new in the journal, in the order of their arrival."""
        new = [row for row in self.named if row.arrived]
        return tuple(sorted(new, key=lambda row: row.first.started))

    def senses(self) -> Counter[Sense]:
        """Count the visits by sense, without undecided ones."""
        return sum((row.senses for row in self.named), Counter())

    def days(self) -> tuple[date, ...]:
        """Return every day from the first visit to the last."""
        known = [day for row in self.species for day in row.days]
        first, last = min(known), max(known)
        return tuple(first + timedelta(days=index) for index in range((last - first).days + 1))

    def spans(self) -> tuple[tuple[date, ...], ...]:
        """Group the days for a picture: single days, or weeks from Monday if there are many."""
        days = self.days()
        if len(days) <= MAX_DAYS:
            return tuple((day,) for day in days)
        weeks: dict[tuple[int, int], list[date]] = {}
        for day in days:
            weeks.setdefault(day.isocalendar()[:2], []).append(day)
        return tuple(tuple(week) for week in weeks.values())


def _evidence_rank(visit: VisitRecord) -> tuple[bool, float, int]:
    """Return a sort key: with picture and sonogram before others, then by score, then newer."""
    return bool(visit.picture and visit.sonogram), visit.score, visit.id


def gather_history(journal: Journal, since: datetime | None, until: datetime | None) -> History:
    """Sum up a period; memory grows with species and days, not with visits.

    Args:
        journal: An open journal.
        since: The aware time at which the period begins; None for the first visit.
        until: The aware time at which it ends; None for no end.
    """
    firsts = _first_times(journal)
    found: dict[str, SpeciesSummary] = {}
    undecided: list[VisitRecord] = []
    for visit in visits_of(journal, Selection(since=since, until=until), marked=False):
        label = visit.species or UNDECIDED
        if label not in found:
            # A species that another process wrote since has no first time yet: it is new.
            arrived = utc_text(visit.started) <= firsts.get(label, AFTER_ANY_TIME)
            found[label] = SpeciesSummary(label, visit.scientific, visit, visit, arrived)
        found[label].add(visit)
        if label == UNDECIDED:
            undecided = [*undecided, visit][-MAX_UNDECIDED:]
    rows = sorted(found.values(), key=lambda row: (row.label == UNDECIDED, -row.visits, row.label))
    first = journal.database.execute("SELECT min(started) FROM visits").fetchone()[0]
    return History(
        tuple(rows),
        tuple(reversed(undecided)),
        _count_events(journal, since, until),
        datetime.fromisoformat(first).astimezone() if first else None,
    )


def _first_times(journal: Journal) -> dict[str, str]:
    """Return the time of each species' first visit in the journal, as UTC text."""
    return dict(
        tuple(row)
        for row in journal.database.execute(
            "SELECT species, min(started) FROM visits WHERE species IS NOT NULL GROUP BY species"
        )
    )


def _count_events(
    journal: Journal, since: datetime | None, until: datetime | None
) -> dict[str, tuple[int, datetime]]:
    counts: dict[str, tuple[int, datetime]] = {}
    for event in events_of(journal, since, until):
        count, _ = counts.get(event.kind, (0, None))
        counts[event.kind] = (count + 1, event.time)
    return counts
