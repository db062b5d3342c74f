"""A history as a table of plain text, 80 columns wide."""

import unicodedata
from collections.abc import Iterator

from birdfield.journal.history import UNDECIDED, History, SpeciesSummary, began_at
from birdfield.model.names import LABELS, Names

COLUMNS = 80
NAME_COLUMNS = 22
NO_WIDTH = ("Mn", "Me", "Cf")  # categories of characters that stand on, or steer, the others
MANY = 9  # visits in an hour that one digit can tell
BY = {"image": "seen", "audio": "heard", "both": "seen and heard"}


def to_text(history: History, names: Names = LABELS) -> str:
    """Write what a period's visits come to, a line a species; of each hour the visits, + is more.

    Undecided visits are counted, but speak for no sense.
    """
    if not history.visits:
        return "no visits"
    return "\n".join(_lines(history, names))


def _lines(history: History, names: Names) -> Iterator[str]:
    days = history.days()
    yield (
        f"{history.visits} visits of {len(history.named)} species, {days[0]} to {days[-1]}, "
        "by the hour in which they began"
    )
    yield ""
    yield f"{'':<{NAME_COLUMNS}}  visits  0     6     12    18     seen heard both  best"
    for row in history.species:
        yield _line(row, names)
    if history.arrivals:
        yield ""
        yield "New in this journal:"
    for row in history.arrivals:
        yield _arrival(row, names)


def _arrival(row: SpeciesSummary, names: Names) -> str:
    """Write a new species with its scientific name, which is left out, or cut, where it is long."""
    before = f"  {began_at(row.first):%Y-%m-%d %H:%M}  "
    after = f", {BY[row.first['senses']]}, {row.first['score']:.2f}"
    room = COLUMNS - len(before) - len(after)
    full, name = names.full(row.label, row.scientific), names.common(row.label)
    return before + (full if columns(full) <= room else fit(name, room).rstrip()) + after


def _line(row: SpeciesSummary, names: Names) -> str:
    hours = "".join(
        "." if not count else str(count) if count <= MANY else "+" for count in row.hours
    )
    senses = (
        ""
        if row.label == UNDECIDED
        else f"{row.senses['image']:>4} {row.senses['audio']:>5} {row.senses['both']:>4}"
        f"  {row.score:.2f}"
    )
    name = fit(names.common(row.label), NAME_COLUMNS)
    return f"{name}  {row.visits:>6}  {hours}  {senses}".rstrip()


def fit(text: str, room: int) -> str:
    """Fill a text to so many columns of a terminal, or cut it to as many, its last one dots."""
    if columns(text) > room:
        while columns(text) > room - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (room - columns(text))


def columns(text: str) -> int:
    """Count the columns of a terminal that a text takes."""
    return sum(
        0
        if unicodedata.category(character) in NO_WIDTH
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )
