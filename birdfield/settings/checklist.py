"""A checklist: which species are to be expected in which weeks of the year, as a user gives it."""

import csv
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from birdfield.errors import InputError
from birdfield.model.species import clean_name, fold, is_blank

WEEKS = 53  # of the year, by ISO 8601; many years have 52
ALL_YEAR = frozenset(range(1, WEEKS + 1))


@dataclass(frozen=True)
class Checklist:
    """Weeks by species.

    Attributes:
        weeks: By a species' name, folded.
    """

    weeks: dict[str, frozenset[int]]


def week_of(now: datetime) -> int:
    """Return the week of the year of an aware time, local, 1..53."""
    return now.astimezone().isocalendar().week


def read_checklist(path: Path) -> Checklist:
    """Read a CSV with the columns species and weeks.

    Weeks are such as "14-40", "45-8" over New Year, or "10;12-20"; none is all year.

    Raises:
        InputError: When it cannot be read, or a line is not like that.
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
                name = fold(_name(row["species"], f"{path}, line {reader.line_num}"))
                found = parse_weeks(row["weeks"] or "", f"{path}, line {reader.line_num}")
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
    """Read weeks such as "14-40;45-8"; raises InputError when they are not like that."""
    weeks: set[int] = set()
    for part in text.replace(";", " ").split():
        found = re.fullmatch(r"(\d{1,2})(?:-(\d{1,2}))?", part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not (1 <= first <= WEEKS and 1 <= last <= WEEKS):
            raise InputError(
                f"{where}: weeks are {text!r}; expected such as 14-40 or 45-8, from 1 to {WEEKS}"
            )
        weeks.update(
            range(first, last + 1)
            if first <= last
            else {*range(first, WEEKS + 1), *range(1, last + 1)}
        )
    return frozenset(weeks) or ALL_YEAR
