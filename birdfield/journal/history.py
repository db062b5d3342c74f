"""A journal's history at a glance: visits by species, hour, day and sense, and who is new."""

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from birdfield.journal.database import Journal, utc_text
from birdfield.journal.queries import Selection, events_of, visits_of
from birdfield.signals.boxes import Box

UNDECIDED = "undecided"  # visits whose evidence conflicts
HOURS = 24
BEST = 2  # visits of each species whose evidence is shown
DOUBTS = 20  # undecided visits that are listed, the newest
NEVER = "~"  # after every time as text: of a species that came while the journal is read
MOST_DAYS = 31  # that a picture by day can show; longer histories are shown by week

Visit = Mapping[str, Any]


@dataclass
class SpeciesSummary:
    """What a period's visits of one species come to; grows while they are read.

    Attributes:
        label: The species, or UNDECIDED.
        scientific: Its scientific name, where the model had it.
        hours: Visits that began in each hour of the day, local time then.
        days: Visits by the day on which they began.
        senses: Visits by "image", "audio" and "both".
        first: The first of them.
        last: The newest.
        score: Of the surest.
        arrived: Whether the first is the first in the whole journal.
        best: The surest with evidence, the best first once all are read.
    """

    label: str
    scientific: str | None
    first: Visit
    last: Visit
    arrived: bool = False
    score: float = 0.0
    hours: list[int] = field(default_factory=lambda: [0] * HOURS)
    days: Counter[date] = field(default_factory=Counter)
    senses: Counter[str] = field(default_factory=Counter)
    best: list[Visit] = field(default_factory=list)

    @property
    def visits(self) -> int:
        """How many."""
        return sum(self.hours)

    def add(self, visit: Visit) -> None:
        """Take the next visit, in the order of their beginning."""
        began = began_at(visit)
        self.last = visit
        self.score = max(self.score, visit["score"])
        self.hours[began.hour] += 1
        self.days[began.date()] += 1
        self.senses[visit["senses"]] += 1
        if visit["picture"] or visit["sonogram"]:
            self.best = heapq.nlargest(BEST, [*self.best, visit], key=_worth)


@dataclass(frozen=True)
class History:
    """What a period's visits come to.

    Attributes:
        species: Those that came, the most frequent first; UNDECIDED last.
        doubts: The newest undecided visits, the newest first.
        events: By kind, how often, and when last.
        began: When the journal's first visit was, or None.
    """

    species: tuple[SpeciesSummary, ...]
    doubts: tuple[Visit, ...]
    events: Mapping[str, tuple[int, datetime]]
    began: datetime | None

    @property
    def visits(self) -> int:
        """How many, undecided ones among them."""
        return sum(row.visits for row in self.species)

    @property
    def named(self) -> tuple[SpeciesSummary, ...]:
        """The species without UNDECIDED."""
        return tuple(row for row in self.species if row.label != UNDECIDED)

    @property
    def arrivals(self) -> tuple[SpeciesSummary, ...]:
        """The species that the journal did not have before, in the order in which they came."""
        new = [row for row in self.named if row.arrived]
        return tuple(sorted(new, key=lambda row: began_at(row.first)))

    def senses(self) -> Counter[str]:
        """Count the visits by sense, without undecided ones."""
        return sum((row.senses for row in self.named), Counter())

    def days(self) -> tuple[date, ...]:
        """List the days from the first visit to the last, each that is there."""
        known = [day for row in self.species for day in row.days]
        first, last = min(known), max(known)
        return tuple(first + timedelta(days=index) for index in range((last - first).days + 1))

    def spans(self) -> tuple[tuple[date, ...], ...]:
        """Group the days for a picture: single days, or weeks of Monday to Sunday if many."""
        days = self.days()
        if len(days) <= MOST_DAYS:
            return tuple((day,) for day in days)
        weeks: dict[tuple[int, int], list[date]] = {}
        for day in days:
            weeks.setdefault(day.isocalendar()[:2], []).append(day)
        return tuple(tuple(week) for week in weeks.values())


def began_at(visit: Visit) -> datetime:
    """Return when a visit began, aware, in local time then."""
    return datetime.fromisoformat(visit["started"])


def _worth(visit: Visit) -> tuple[bool, float, int]:
    """Rank visits to show: seen and heard before others, then by score, the newer first."""
    return bool(visit["picture"] and visit["sonogram"]), visit["score"], visit["id"]


def gather_history(journal: Journal, since: datetime | None, until: datetime | None) -> History:
    """Read a period's visits; memory grows with species and days, not with visits.

    Args:
        journal: Open.
        since: From then on, aware; None is all.
        until: Before then.
    """
    firsts = dict(
        tuple(row)
        for row in journal.database.execute(
            "SELECT species, min(started) FROM visits WHERE species IS NOT NULL GROUP BY species"
        )
    )
    found: dict[str, SpeciesSummary] = {}
    doubts: list[Visit] = []
    for visit in visits_of(journal, Selection(since=since, until=until), marked=False):
        label = visit["species"] or UNDECIDED
        if label not in found:
            found[label] = SpeciesSummary(
                label,
                visit["scientific"],
                visit,
                visit,
                utc_text(began_at(visit)) <= firsts.get(label, NEVER),
            )
        found[label].add(visit)
        if label == UNDECIDED:
            doubts = [*doubts, visit][-DOUBTS:]
    rows = sorted(found.values(), key=lambda row: (row.label == UNDECIDED, -row.visits, row.label))
    first = journal.database.execute("SELECT min(started) FROM visits").fetchone()[0]
    return History(
        tuple(rows),
        tuple(reversed(doubts)),
        _events(journal, since, until),
        datetime.fromisoformat(first).astimezone() if first else None,
    )


def _events(
    journal: Journal, since: datetime | None, until: datetime | None
) -> dict[str, tuple[int, datetime]]:
    events: dict[str, tuple[int, datetime]] = {}
    for event in events_of(journal, since, until):
        count, _ = events.get(event["kind"], (0, None))
        events[event["kind"]] = (count + 1, datetime.fromisoformat(event["time"]))
    return events


def boxes_of(journal: Journal, visits: list[int]) -> dict[int, Box]:
    """Return where the bird is in the pictures of visits, in pixels."""
    marks = ", ".join("?" * len(visits))
    rows = journal.database.execute(
        f"SELECT visit, box FROM evidence WHERE kind = 'picture' AND box IS NOT NULL "
        f"AND visit IN ({marks})",
        visits,
    )
    boxes = {}
    for row in rows:
        left, top, width, height = map(int, row["box"].split(","))
        boxes[row["visit"]] = (left, top, width, height)
    return boxes
