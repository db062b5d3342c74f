"""Checklist: the species that a user expects, and the weeks of the year in which to expect them."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from birdfield.errors import InputError
from birdfield.model.csv_table import Row, read_rows
from birdfield.model.species import clean_name

MAX_WEEK = 53  # the last week of a long year, by ISO 8601; most years have 52
ALL_YEAR = frozenset(range(1, MAX_WEEK + 1))


@dataclass(frozen=True)
class ChecklistEntry:
    """A row of a checklist.

    Attributes:
        name: A name of a species.
        weeks: Weeks of the year, 1..53.
        where: The file and the line, for messages.
    """

    name: str
    weeks: frozenset[int]
    where: str


@dataclass(frozen=True)
class Checklist:
    """The weeks of expected species; a species may have several entries."""

    entries: tuple[ChecklistEntry, ...]


def week_of(now: datetime) -> int:
    """Return the ISO week of the year, 1..53, of an aware time in local time."""
    return now.astimezone().isocalendar().week


def read_checklist(path: Path) -> Checklist:
    """Read a CSV with the columns species and weeks; a species may have several rows.

    Raises:
        InputError: If the file cannot be read, lacks a column, has an invalid row or no row.
    """
    entries = tuple(map(_entry, read_rows(path, ("species", "weeks"))))
    if not entries:
        raise InputError(f"{path}: has no species; expected a row for each expected species")
    return Checklist(entries)


def _entry(row: Row) -> ChecklistEntry:
    name, weeks = row.cells
    return ChecklistEntry(_name(name, row.where), parse_weeks(weeks, row.where), row.where)


def _name(text: str, where: str) -> str:
    try:
        return clean_name(text)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def parse_weeks(text: str, where: str) -> frozenset[int]:
    """Read weeks such as "14-40", "45-8" over New Year, or "10;12-20"; an empty text is all year.

    Args:
        text: The weeks.
        where: The file and the line, for the message of an error.

    Raises:
        InputError: If the text has another form.
    """
    weeks: set[int] = set()
    for part in text.replace(";", " ").split():
        found = re.fullmatch(r"(\d{1,2})(?:-(\d{1,2}))?", part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not (1 <= first <= MAX_WEEK and 1 <= last <= MAX_WEEK):
            raise InputError(
                f"{where}: weeks are {text!r}; expected such as 14-40 or 45-8, from 1 to {MAX_WEEK}"
            )
        weeks.update(
            range(first, last + 1)
            if first <= last
            else {*range(first, MAX_WEEK + 1), *range(1, last + 1)}
        )
    return frozenset(weeks) or ALL_YEAR
