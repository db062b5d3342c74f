"""History: sums up the visits of a period by species, hour, day and sense."""

import heapq
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone

from birdfield.journal.database import Journal
from birdfield.journal.queries import AFTER_ANY_TIME, Selection, events_of, visits_of
from birdfield.journal.records import UNDECIDED, VisitRecord
from birdfield.journal.times import utc_text
from birdfield.model.sense import Sense
from birdfield.recognise.observation import DECIMALS

HOURS = 24
BEST_VISITS = 2  # visits of each species whose evidence is shown
MAX_UNDECIDED = 20  # undecided visits that are listed, the newest
HOUR, MINUTE = 13, 16  # characters of a time up to its hour and its minute
SENSE_OF = {sense.value: sense for sense in Sense}
MAX_DAYS = 31  # days of a picture by day; a longer history has a picture by week

log = logging.getLogger(__name__)


@dataclass
class SpeciesSummary:
    """The visits of one species in a period, summed up.

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


def gather_history(journal: Journal, since: datetime | None, until: datetime | None) -> History:
    """Sum up a period; memory grows with species and days, not with visits.

    Args:
        journal: An open journal.
        since: The aware time at which the period begins; None for the first visit.
        until: The aware time at which it ends; None for no end.
    """
    firsts = _first_times(journal)
    tallies = _tally(journal, since, until)
    found = [
        row
        for label, tally in tallies.items()
        if (row := _summary(journal, label, tally, firsts)) is not None
    ]
    rows = sorted(found, key=lambda row: (row.label == UNDECIDED, -row.visits, row.label))
    newest = Selection(UNDECIDED, since, until, MAX_UNDECIDED)
    undecided = list(visits_of(journal, newest, marked=False))
    first = journal.database.execute("SELECT min(started) FROM visits").fetchone()[0]
    return History(
        tuple(rows),
        tuple(reversed(undecided)),
        _count_events(journal, since, until),
        datetime.fromisoformat(first).astimezone() if first else None,
    )


@dataclass
class _Tally:
    """What one species' visits add up to; the visits themselves are read only where needed."""

    first: int
    last: int = 0
    score: float = 0.0
    hours: list[int] = field(default_factory=lambda: [0] * HOURS)
    days: Counter[date] = field(default_factory=Counter)
    senses: Counter[Sense] = field(default_factory=Counter)
    best: list[tuple[bool, float, int]] = field(default_factory=list)


def _tally(journal: Journal, since: datetime | None, until: datetime | None) -> dict[str, _Tally]:
    """Add up the visits of a period by species; a damaged row is logged and left out."""
    rows = journal.database.execute(
        "SELECT id, species, started, utc_offset_min, senses, score FROM visits "
        "WHERE started >= ? AND started < ? ORDER BY started, id",
        (
            utc_text(since) if since else "",
            utc_text(until) if until else AFTER_ANY_TIME,
        ),
    )
    tallies: dict[str, _Tally] = {}
    hours: dict[tuple[str, int], tuple[date, int]] = {}
    evidence = _EvidenceRank(journal)
    for visit, species, started, offset_min, senses, score in map(tuple, rows):
        try:
            key = started[: MINUTE if offset_min % 60 else HOUR], offset_min
            if key not in hours:
                hours[key] = _local_hour(started, offset_min)
            day, hour = hours[key]
            sense, score = SENSE_OF[senses], round(score, DECIMALS)
        except (ValueError, TypeError, OverflowError, KeyError):
            log.warning("visit %d is damaged, and left out", visit)
            continue
        label = species or UNDECIDED
        tally = tallies.get(label)
        if tally is None:
            tally = tallies[label] = _Tally(visit)
        tally.last = visit
        tally.score = max(tally.score, score)
        tally.hours[hour] += 1
        tally.days[day] += 1
        tally.senses[sense] += 1
        evidence.offer(tally.best, score, visit)
    return tallies


def _local_hour(started: str, offset_min: int) -> tuple[date, int]:
    local = datetime.fromisoformat(started).astimezone(timezone(timedelta(minutes=offset_min)))
    return local.date(), local.hour


class _EvidenceRank:
    """Keeps the visits with the best evidence; asks for that of few, since most rank too low."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def offer(self, best: list[tuple[bool, float, int]], score: float, visit: int) -> None:
        """Add a visit to the best ones if its evidence ranks higher.

        Visits with picture and sonogram come before others, then the score counts, then the newer.
        """
        if len(best) == BEST_VISITS and (True, score, visit) <= best[-1]:
            return
        kinds = {
            row["kind"]
            for row in self._journal.database.execute(
                "SELECT kind FROM evidence WHERE visit = ? AND deleted IS NULL "
                "AND kind IN ('picture', 'sonogram')",
                (visit,),
            )
        }
        if kinds:
            best[:] = heapq.nlargest(BEST_VISITS, [*best, (len(kinds) == 2, score, visit)])


def _summary(
    journal: Journal, label: str, tally: _Tally, firsts: Mapping[str, str]
) -> SpeciesSummary | None:
    """Return the summary of a species; None where the rows that it shows are damaged."""
    best = [visit for _, _, visit in tally.best]
    wanted = Selection(ids=(tally.first, tally.last, *best))
    read = {visit.id: visit for visit in visits_of(journal, wanted, marked=False)}
    if not read:
        return None
    first = read.get(tally.first) or min(read.values(), key=lambda each: each.started)
    last = read.get(tally.last) or max(read.values(), key=lambda each: each.started)
    # A species that another process wrote since has no first time yet: it is new.
    arrived = utc_text(first.started) <= firsts.get(label, AFTER_ANY_TIME)
    return SpeciesSummary(
        label,
        first.scientific,
        first,
        last,
        arrived,
        tally.score,
        tally.hours,
        tally.days,
        tally.senses,
        [read[visit] for visit in best if visit in read],
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
