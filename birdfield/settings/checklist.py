"""Checklist: the species that a user expects, and the weeks of the year in which to expect them."""

import csv
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from birdfield.errors import InputError
from birdfield.model.species import clean_name, fold, is_blank

MAX_WEEK = 53  # the last week of a long year, by ISO 8601; most years have 52
ALL_YEAR = frozenset(range(1, MAX_WEEK + 1))


@dataclass(frozen=True)
class Checklist:
    """The weeks of expected species.

    Attributes:
        weeks: Weeks of the year, 1..53, by a name of a species, folded.
    """

    weeks: dict[str, frozenset[int]]


def week_of(now: datetime) -> int:
    """Return the ISO week of the year, 1..53, of an aware time in local time."""
    return now.astimezone().isocalendar().week


def read_checklist(path: Path) -> Checklist:
    """Read a CSV with the columns species and weeks; a species may have several rows.

    Raises:
        InputError: If the file cannot be read, lacks a column, or has an invalid row.
    """
    weeks: dict[str, frozenset[int]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = {"species", "weeks"} - set(reader.fieldnames or ())
            if missing:
                raise InputError(
                    f"{path}: no column {', '.join(sorted(missing))}; expected species,weeks"
                )
            for row in reader:
                if is_blank(row):
                    continue
                where = f"{path}, line {reader.line_num}"
                name = fold(_name(row["species"], where))
                found = parse_weeks(row["weeks"] or "", where)
                weeks[name] = weeks.get(name, frozenset()) | found
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a UTF-8 CSV file ({error})") from error
    return Checklist(weeks)


def _name(text: str | None, where: str) -> str:
    try:
        return clean_name(text or "")
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
