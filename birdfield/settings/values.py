"""Value readers: check one value of the configuration file and return it as its type."""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from birdfield.settings.place import Location, parse_location

if TYPE_CHECKING:
    from birdfield.signals.boxes import Box

NUMBER = re.compile(r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)")
THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")  # or a decimal of three digits

Value = TypeVar("Value")
# Each reader raises ValueError or BirdfieldError when it does not accept a value.
Reader = Callable[[object], Value]


def read_text(value: object) -> str:
    """Return a text of printable characters that is not blank."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError(value)
    return value


def read_path(value: object) -> Path:
    """Return a path, with `~` replaced by the home folder."""
    return Path(read_text(value)).expanduser()


def read_bool(value: object) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise ValueError(value)
    return value


def parse_number(text: str) -> float:
    """Read a number with a decimal point or a decimal comma.

    Raises:
        ValueError: If the text is not a number, or may be a decimal or thousands: "1,500".
    """
    if not NUMBER.fullmatch(text.strip()) or THOUSANDS.fullmatch(text.strip()):
        raise ValueError(text)
    return float(text.strip().replace(",", "."))


def _number(value: object) -> float:
    """Return a number of TOML, or one between quotes."""
    if isinstance(value, str):
        number = parse_number(value)
        return int(number) if number.is_integer() else number
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(value)
    return value


def number_reader(least: float, most: float) -> Reader[float]:
    """Return a reader of numbers from least to most, which may be whole."""

    def read(value: object) -> float:
        number = _number(value)
        if not least <= number <= most:  # also true of NaN
            raise ValueError(value)
        return number

    return read


def count_reader(least: int, most: int) -> Reader[int]:
    """Return a reader of whole numbers from least to most."""

    def read(value: object) -> int:
        number = _number(value)
        if not isinstance(number, int) or not least <= number <= most:
            raise ValueError(value)
        return number

    return read


def read_texts(value: object) -> tuple[str, ...]:
    """Return a list of texts."""
    if not isinstance(value, list):
        raise ValueError(value)
    return tuple(map(read_text, value))


def by_species(read: Reader[Value]) -> Reader[dict[str, Value]]:
    """Return a reader of a table of values by species, each read by the given reader."""

    def read_table(value: object) -> dict[str, Value]:
        if not isinstance(value, dict):
            raise ValueError(value)
        return {read_text(name): read(inner) for name, inner in value.items()}

    return read_table


def read_moment(value: object) -> datetime:
    """Return a date or a time as an aware time; a date is its first moment, local time."""
    if not isinstance(value, date):
        raise ValueError(value)
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    return moment.astimezone()


def read_box(value: object) -> "Box":
    """Return the box that a text such as "100,50,640,480" describes."""
    from birdfield.signals.boxes import parse_box

    return parse_box(read_text(value))


def read_boxes(value: object) -> tuple["Box", ...]:
    """Return a list of boxes."""
    return tuple(map(read_box, read_texts(value)))


def box_text(box: "Box") -> str:
    """Return a box as the text that `read_box` reads."""
    return ",".join(map(str, box))


def box_texts(boxes: Sequence["Box"]) -> list[str]:
    """Return boxes as the texts that `read_boxes` reads."""
    return list(map(box_text, boxes))


def read_hours(value: object) -> str:
    """Return a text that describes quiet hours; "night" still needs a location to be followed."""
    from birdfield.settings.quiet_hours import parse_quiet

    text = read_text(value)
    parse_quiet(text, Location(0.0, 0.0, ""))
    return text


def read_location(value: object) -> Location:
    """Return the location that a text such as "52.5,13.4,Garden" describes."""
    return parse_location(read_text(value))
