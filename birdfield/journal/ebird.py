"""eBird: visits in eBird's record format, a checklist a day, in files that its importer accepts."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from birdfield.errors import InputError, LocationMissingError, shorten_list
from birdfield.journal.records import VisitRecord
from birdfield.settings.place import Location

PROTOCOL = "Incidental"  # eBird's word for records without an observer who counts
MAX_BYTES = 1_000_000  # of a file: the importer accepts 1 MB
FORBIDDEN = '"\n\r\t'  # in a text of the importer
FORMULA = ("=", "+", "-", "@")  # at the start of what a spreadsheet computes; no name starts so


@dataclass
class _Record:
    """The visits of one species on one day.

    Attributes:
        species: The label.
        scientific: The scientific name.
        visits: Their number.
        score: The highest score.
    """

    species: str
    scientific: str
    visits: int = 0
    score: float = 0.0


@dataclass
class _Checklist:
    """The records of one day; it has one start time, as eBird takes another for another list."""

    started: datetime
    records: dict[str, _Record]


def ebird_files(visits: Iterable[VisitRecord], location: Location | None) -> list[bytes]:
    """Return visits in eBird's record format: 19 columns without a header.

    The visits of one species on one day are one record, as eBird asks for. Its count is X,
    present, because several visits may be of one bird. All records of a day start at the first
    visit of the day, so that they are one checklist.

    Returns:
        The files, each of at most MAX_BYTES, with whole checklists.

    Raises:
        LocationMissingError: If there is no location.
        InputError: If eBird would refuse a species, a date or the location.
    """
    if location is None:
        raise LocationMissingError(
            "eBird needs the location of the station; set place.location in birdfield.toml"
        )
    _check_text(location.name, "the name of the place")
    files = [bytearray()]
    for day in _checklists(visits):
        rows = b"".join(_row(day, record, location) for record in day.records.values())
        if files[-1] and len(files[-1]) + len(rows) > MAX_BYTES:
            files.append(bytearray())
        files[-1] += rows
    return list(map(bytes, files))


def _checklists(visits: Iterable[VisitRecord]) -> Iterator[_Checklist]:
    """Return the checklists by day; memory grows with days and species, not with visits."""
    days: dict[date, _Checklist] = {}
    nameless: set[str] = set()
    now = datetime.now(UTC)
    for visit in visits:
        if visit.species is None:
            continue
        if " " not in (visit.scientific or "").strip():
            nameless.add(visit.species)
            continue
        if visit.started > now:
            raise InputError(
                f"visit {visit.id} is of {visit.started:%Y-%m-%d %H:%M}, which is in the future; "
                "eBird refuses it; choose an earlier end of the period"
            )
        day = days.setdefault(visit.started.date(), _Checklist(visit.started, {}))
        day.started = min(day.started, visit.started)
        _add(day, visit)
    if nameless:
        raise InputError(
            f"eBird needs scientific names, and {shorten_list(sorted(nameless))} has none; set "
            "names.file in birdfield.toml to a CSV with the columns label,scientific,lang,name"
        )
    return (days[day] for day in sorted(days))


def _add(day: _Checklist, visit: VisitRecord) -> None:
    scientific = visit.scientific or ""
    record = day.records.get(scientific)
    if record is None:
        species = visit.species or ""
        _check_text(species, "a species")
        _check_text(scientific, "a scientific name")
        record = day.records[scientific] = _Record(species, scientific)
    record.visits += 1
    record.score = max(record.score, visit.score)


def _check_text(text: str, what: str) -> None:
    if text.startswith(FORMULA) or any(each in text for each in FORBIDDEN):
        raise InputError(
            f"{what} is {text!r}, which eBird refuses: expected a text without quotation marks, "
            "tabs and line breaks that starts with none of = + - @; rename it"
        )


def _row(day: _Checklist, record: _Record, location: Location) -> bytes:
    genus, _, epithet = record.scientific.partition(" ")
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\r\n").writerow(
        [
            record.species,
            genus,
            epithet,
            "X",  # count
            f"birdfield: visits {record.visits}; best score {record.score:.2f}; by machine",
            location.name,
            f"{location.latitude:.6f}",
            f"{location.longitude:.6f}",
            f"{day.started:%m/%d/%Y}",
            f"{day.started:%H:%M}",
            "",  # state
            "",  # country
            PROTOCOL,
            1,  # number of observers
            "",  # duration
            "N",  # all observations reported
            "",  # distance covered
            "",  # area covered
            "",  # comment on the checklist
        ]
    )
    return stream.getvalue().encode()
