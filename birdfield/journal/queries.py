"""Reading visits and events of a journal, and the forms in which users are given them."""

import csv
import io
import json
import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from birdfield.errors import UsageError
from birdfield.journal.database import Journal, utc_text
from birdfield.journal.novelty import EARLIER, mark_of
from birdfield.model.names import LABELS, Names
from birdfield.model.sense import SENSES
from birdfield.model.species import fold
from birdfield.recognise.observation import DECIMALS, harmless

COLUMNS = (
    "id",
    "session",
    "started",
    "ended",
    "species",
    "scientific",
    "first_species",
    "score",
    "senses",
    "agreement",
    "windows",
    "candidates",
    "clock_shift_s",
    "start_s",
    "end_s",
    "picture",
    "sound",
    "sonogram",
    "model",
    "mark",
)
MARKS = {None: "", "new": "  new here", "rare": "  rare here"}
EVENT_COLUMNS = ("id", "session", "time", "kind", "detail", "clock_shift_s")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Selection:
    """Which visits are wanted; None is any.

    Attributes:
        species: A label in any case; "undecided" for visits whose evidence conflicts.
        since: Visits that began at this time or later, aware.
        until: Visits that began before, aware.
        last: Only the newest so many.
        session: Of one watch, by its number.
    """

    species: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    last: int | None = None
    session: int | None = None


def parse_time(text: str | None, option: str) -> datetime | None:
    """Read a time as a user writes it: ISO 8601, local where it names no offset.

    Raises:
        UsageError: When it is no time.
    """
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{option} is {text!r}; expected a date or a time such as 2026-05-01 or "
            "2026-05-01T06:30"
        ) from error


def visits_of(
    journal: Journal, selection: Selection, marked: bool = True
) -> Iterator[dict[str, Any]]:
    """Read visits in the order of their beginning, with their evidence; times are local.

    Marks cost a look at the whole journal, however few visits are wanted.
    """
    earlier = EARLIER if marked else "SELECT NULL AS visit, NULL AS own, NULL AS total"
    wheres, values = _conditions(journal, selection)
    limit = "" if selection.last is None else "LIMIT ?"
    values += [] if selection.last is None else [selection.last]
    rows = journal.database.execute(
        "SELECT * FROM (SELECT visits.*, model, own, total, "
        "(SELECT json_group_object(kind, path) FROM evidence "
        " WHERE visit = visits.id AND deleted IS NULL) AS files "
        "FROM visits JOIN sessions ON sessions.id = session "
        f"LEFT JOIN ({earlier}) ON visit = visits.id "
        f"WHERE {' AND '.join(wheres)} ORDER BY started DESC, visits.id DESC {limit}) "
        "ORDER BY started, id",
        values,
    )
    yield from _whole(rows, _visit, "visit")


def _whole(
    rows: Iterable[sqlite3.Row], read: Callable[[sqlite3.Row], dict[str, Any]], what: str
) -> Iterator[dict[str, Any]]:
    """Read rows; one of which a worn card has changed a bit does not hide the others."""
    for row in rows:
        try:
            entry = read(row)
        except (ValueError, TypeError, OverflowError):
            log.warning("%s %d is damaged, and left out", what, row["id"])
            continue
        yield entry


def _conditions(journal: Journal, selection: Selection) -> tuple[list[str], list[Any]]:
    wheres: list[str] = ["1"]
    values: list[Any] = []
    if selection.species == "undecided":
        wheres.append("species IS NULL")
    elif selection.species is not None:
        labels = [
            row["species"]
            for row in journal.database.execute(
                "SELECT DISTINCT species FROM visits WHERE species IS NOT NULL"
            )
            if fold(row["species"]) == fold(selection.species)
        ]
        wheres.append(f"species IN ({', '.join('?' * len(labels))})")
        values += labels
    if selection.session is not None:
        wheres.append("session = ?")
        values.append(selection.session)
    for comparison, time in ((">=", selection.since), ("<", selection.until)):
        if time is not None:
            wheres.append(f"visits.started {comparison} ?")
            values.append(utc_text(time))
    return wheres, values


def _visit(row: sqlite3.Row) -> dict[str, Any]:
    if row["senses"] not in SENSES:
        raise ValueError(row["senses"])
    local = timezone(timedelta(minutes=row["utc_offset_min"]))
    files = json.loads(row["files"])
    entry = {name: row[name] for name in COLUMNS if name in row.keys()}  # noqa: SIM118
    for name in ("started", "ended"):
        entry[name] = (
            datetime.fromisoformat(row[name]).astimezone(local).isoformat(timespec="milliseconds")
        )
    entry["mark"] = mark_of(row["own"], row["total"])
    entry["score"] = round(row["score"], DECIMALS)
    entry["start_s"], entry["end_s"] = round(row["start_s"], 3), round(row["end_s"], 3)
    entry["candidates"] = [
        {"species": species, "share": round(share, DECIMALS)}
        for species, share in json.loads(row["candidates"])
    ]
    entry.update({kind: files.get(kind) for kind in ("picture", "sound", "sonogram")})
    return {name: entry[name] for name in COLUMNS}


def events_of(
    journal: Journal, since: datetime | None, until: datetime | None, last: int | None = None
) -> Iterator[dict[str, Any]]:
    """Read events, or the newest so many, in the order in which they came."""
    rows = journal.database.execute(
        f"SELECT * FROM (SELECT {', '.join(EVENT_COLUMNS)} FROM events "
        "WHERE time >= ? AND time < ? ORDER BY id DESC LIMIT ?) ORDER BY id",
        (
            utc_text(since) if since else "",
            utc_text(until) if until else "~",
            -1 if last is None else last,
        ),
    )
    yield from _whole(rows, _event, "event")


def _event(row: sqlite3.Row) -> dict[str, Any]:
    time = datetime.fromisoformat(row["time"]).astimezone()
    return {**dict(row), "time": time.isoformat(timespec="milliseconds")}


def visit_line(entry: dict[str, Any], names: Names = LABELS) -> str:
    """Write a visit as a line for a person, with species by these names."""
    started, ended = (datetime.fromisoformat(entry[name]) for name in ("started", "ended"))
    nearest = [names.full(each["species"]) for each in entry["candidates"][:2]]
    species = (
        names.full(entry["species"], entry["scientific"])
        if entry["species"]
        else f"unknown (nearest: {nearest[0]})"
        if entry["first_species"]
        else f"undecided: {' or '.join(nearest)}"
    )
    kept = "+".join(kind for kind in ("picture", "sound") if entry[kind])
    corrected = "  (clock corrected)" if entry["clock_shift_s"] else ""
    return (
        f"{started:%Y-%m-%d %H:%M:%S}-{ended:%H:%M:%S}  "
        f"{species}  {entry['score']:.2f}  "
        f"[{'image+audio' if entry['senses'] == 'both' else entry['senses']}]"
        f"{f'  {kept}' if kept else ''}{MARKS[entry['mark']]}{corrected}"
    )


def event_line(entry: dict[str, Any]) -> str:
    """Write an event as a line for a person."""
    time = datetime.fromisoformat(entry["time"])
    return f"{time:%Y-%m-%d %H:%M:%S}  {entry['kind']}: {entry['detail']}"


def visits_csv(entries: Iterable[Mapping[str, Any]]) -> str:
    """Write visits as CSV with the columns COLUMNS, and the name where they have one."""
    entries = list(entries)
    columns = (*COLUMNS, "name") if entries and "name" in entries[0] else COLUMNS

    def flat(entry: Mapping[str, Any]) -> dict[str, Any]:
        shares = "; ".join(f"{each['species']} {each['share']}" for each in entry["candidates"])
        return {**entry, "candidates": shares}

    return _csv(columns, map(flat, entries))


def events_csv(entries: Iterable[Mapping[str, Any]]) -> str:
    """Write events as CSV with the columns EVENT_COLUMNS."""
    return _csv(EVENT_COLUMNS, entries)


def _csv(columns: Sequence[str], entries: Iterable[Mapping[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: harmless(value) for name, value in entry.items()} for entry in entries)
    return stream.getvalue()
