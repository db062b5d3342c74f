"""Queries: read the visits and the events of a journal."""

import json
import logging
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import chain
from typing import TypeVar

from birdfield.errors import UsageError
from birdfield.journal.database import Journal
from birdfield.journal.novelty import Marker
from birdfield.journal.records import UNDECIDED, Candidate, EventRecord, VisitRecord
from birdfield.journal.times import utc_text
from birdfield.model.sense import Sense
from birdfield.model.species import fold
from birdfield.recognise.decide import Agreement
from birdfield.recognise.observation import DECIMALS
from birdfield.signals.boxes import Box

DAYS = {"today": 0, "yesterday": 1}  # before now, of the day that a word names
AGE = re.compile(r"(\d+) ?([hdw])")
HOURS = {"h": 1, "d": 24, "w": 168}
AFTER_ANY_TIME = "~"  # sorts after every time as text

Record = TypeVar("Record")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Selection:
    """The visits to read; None selects all.

    Attributes:
        species: A label or a scientific name, in any spelling; UNDECIDED for undecided visits.
        since: The aware time from which visits may start.
        until: The aware time before which they must start.
        last: The number of visits, the newest ones.
        session: The number of a session.
        ids: The ids of visits.
    """

    species: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    last: int | None = None
    session: int | None = None
    ids: tuple[int, ...] | None = None


def parse_time(text: str | None, what: str) -> datetime | None:
    """Read an ISO 8601 date or time; it is local time if it has no offset.

    Args:
        text: The time; None is returned as it is.
        what: The name of the value, for the message of an error.

    Raises:
        UsageError: If the text has another form.
    """
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{what} is {text!r}; expected a date or a time such as 2026-05-01 or 2026-05-01T06:30"
        ) from error


def parse_period(text: str | None, what: str, now: datetime | None = None) -> datetime | None:
    """Read a time as `parse_time` does, or today, yesterday, or an age such as 7d or 12h.

    Args:
        text: The time; None is returned as it is.
        what: The name of the value, for the message of an error.
        now: The aware present time; None for that of the clock.

    Raises:
        UsageError: If the text has another form.
    """
    local = (now or datetime.now(UTC)).astimezone()
    word = (text or "").strip().lower()
    if word in DAYS:
        day = local.date() - timedelta(days=DAYS[word])
        return datetime(day.year, day.month, day.day).astimezone(UTC)  # noqa: DTZ001 - local
    if age := AGE.fullmatch(word):
        try:
            return (local - timedelta(hours=int(age[1]) * HOURS[age[2]])).astimezone(UTC)
        except OverflowError:
            return datetime.min.replace(tzinfo=UTC)
    try:
        return parse_time(text, what)
    except UsageError as error:
        raise UsageError(f"{error}, or today, yesterday, 7d or 12h") from error


def visits_of(journal: Journal, selection: Selection, marked: bool = True) -> Iterator[VisitRecord]:
    """Yield visits in the order of their start; a damaged row is logged and left out.

    Args:
        journal: An open journal.
        selection: The visits to read.
        marked: Whether to find `mark`, which counts the visits of the whole journal.
    """
    conditions, values = _conditions(journal, selection)
    where = " AND ".join(conditions)
    if selection.last is not None:
        where = (
            f"visits.id IN (SELECT id FROM visits WHERE {where} "
            "ORDER BY started DESC, id DESC LIMIT ?)"
        )
        values.append(selection.last)
    # A cross join, because SQLite then reads the visits in the order of their index, unsorted.
    rows: Iterable[sqlite3.Row] = journal.database.execute(
        "SELECT visits.*, model, (SELECT json_group_object(kind, path) FROM evidence "
        " WHERE visit = visits.id AND deleted IS NULL) AS files "
        "FROM visits CROSS JOIN sessions ON sessions.id = session "
        f"WHERE {where} ORDER BY started, visits.id",
        values,
    )
    if not marked:
        yield from _undamaged(rows, _visit, "visit")
        return
    first = next(iter(rows), None)
    if first is None:
        return
    marker = Marker(journal, first["started"], first["id"])
    for visit in _undamaged(chain([first], rows), _visit, "visit"):
        yield replace(visit, mark=marker.mark(visit.id))


def _undamaged(
    rows: Iterable[sqlite3.Row], read: Callable[[sqlite3.Row], Record], what: str
) -> Iterator[Record]:
    """Yield the records of rows, without those in which a worn card has changed a bit."""
    for row in rows:
        try:
            record = read(row)
        except (ValueError, TypeError, OverflowError):
            log.warning("%s %d is damaged, and left out", what, row["id"])
            continue
        yield record


def _conditions(journal: Journal, selection: Selection) -> tuple[list[str], list[object]]:
    """Return SQL conditions, all of which must hold, and the values of their parameters."""
    conditions: list[str] = ["1"]
    values: list[object] = []
    if selection.species == UNDECIDED:
        conditions.append("species IS NULL")
    elif selection.species is not None:
        labels = _labels(journal, selection.species)
        conditions.append(f"species IN ({', '.join('?' * len(labels))})")
        values += labels
    if selection.session is not None:
        conditions.append("session = ?")
        values.append(selection.session)
    if selection.ids is not None:
        conditions.append(f"visits.id IN ({', '.join('?' * len(selection.ids))})")
        values += selection.ids
    for comparison, time in ((">=", selection.since), ("<", selection.until)):
        if time is not None:
            conditions.append(f"visits.started {comparison} ?")
            values.append(utc_text(time))
    return conditions, values


def _labels(journal: Journal, name: str) -> list[str]:
    """Return the labels in a journal of the species with this label or scientific name."""
    rows = journal.database.execute(
        "SELECT DISTINCT species, scientific FROM visits WHERE species IS NOT NULL"
    )
    wanted = fold(name)
    return sorted(
        {label for label, scientific in rows if wanted in (fold(label), fold(scientific or label))}
    )


def _visit(row: sqlite3.Row) -> VisitRecord:
    local = timezone(timedelta(minutes=row["utc_offset_min"]))
    files = json.loads(row["files"])
    return VisitRecord(
        id=row["id"],
        session=row["session"],
        started=datetime.fromisoformat(row["started"]).astimezone(local),
        ended=datetime.fromisoformat(row["ended"]).astimezone(local),
        species=row["species"],
        scientific=row["scientific"],
        first_species=row["first_species"],
        score=round(row["score"], DECIMALS),
        senses=Sense(row["senses"]),
        agreement=Agreement(row["agreement"]),
        windows=row["windows"],
        candidates=tuple(
            Candidate(species, round(share, DECIMALS))
            for species, share in json.loads(row["candidates"])
        ),
        clock_shift_s=row["clock_shift_s"],
        start_s=round(row["start_s"], 3),
        end_s=round(row["end_s"], 3),
        picture=files.get("picture"),
        sound=files.get("sound"),
        sonogram=files.get("sonogram"),
        model=row["model"],
        mark=None,
    )


def events_of(
    journal: Journal,
    since: datetime | None,
    until: datetime | None,
    last: int | None = None,
) -> Iterator[EventRecord]:
    """Yield events in the order in which they were written.

    Args:
        journal: An open journal.
        since: The aware time of the first; None for the first of all.
        until: The aware time before which they lie; None for no end.
        last: The number of events, the newest ones; None for all.
    """
    rows = journal.database.execute(
        "SELECT * FROM (SELECT id, session, time, kind, detail, clock_shift_s FROM events "
        "WHERE time >= ? AND time < ? ORDER BY id DESC LIMIT ?) ORDER BY id",
        (
            utc_text(since) if since else "",
            utc_text(until) if until else AFTER_ANY_TIME,
            -1 if last is None else last,
        ),
    )
    yield from _undamaged(rows, _event, "event")


def _event(row: sqlite3.Row) -> EventRecord:
    return EventRecord(
        id=row["id"],
        session=row["session"],
        time=datetime.fromisoformat(row["time"]).astimezone(),
        kind=row["kind"],
        detail=row["detail"],
        clock_shift_s=row["clock_shift_s"],
    )


def boxes_of(journal: Journal, visits: Sequence[int]) -> dict[int, Box]:
    """Return the boxes around the bird in the pictures of visits, in pixels, by visit."""
    rows = journal.database.execute(
        "SELECT visit, box FROM evidence WHERE kind = 'picture' AND box IS NOT NULL "
        f"AND visit IN ({', '.join('?' * len(visits))})",
        visits,
    )
    boxes = {}
    for row in rows:
        left, top, width, height = map(int, row["box"].split(","))
        boxes[row["visit"]] = (left, top, width, height)
    return boxes
