"""Value readers: check one value of the configuration file and return it as its type."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from birdfield.settings.place import Location, parse_location

if TYPE_CHECKING:
    from birdfield.signals.boxes import Box

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


def number_reader(least: float, most: float) -> Reader[float]:
    """Return a reader of numbers from least to most, which may be whole."""

    def read(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValueError(value)
        if not least <= value <= most:  # also true of NaN
            raise ValueError(value)
        return value

    return read


def count_reader(least: int, most: int) -> Reader[int]:
    """Return a reader of whole numbers from least to most."""

    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(value)
        return value

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
