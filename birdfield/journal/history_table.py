"""History table: a history as plain text, at most 80 columns wide."""

import unicodedata
from collections.abc import Iterator

from birdfield.journal.history import History, SpeciesSummary
from birdfield.journal.records import UNDECIDED
from birdfield.model.names import LABELS_ONLY, Names
from birdfield.model.sense import Sense

COLUMNS = 80
NAME_COLUMNS = 22
NO_WIDTH = ("Mn", "Me", "Cf")  # Unicode categories of marks and controls, which have no column
MAX_DIGIT = 9  # the largest count that one column can show
VERBS = {Sense.IMAGE: "seen", Sense.AUDIO: "heard", Sense.BOTH: "seen and heard"}


def to_text(history: History, names: Names = LABELS_ONLY) -> str:
    """Return a history as text: a line a species, with its visits in each hour.

    An hour shows a digit, or + for more than 9 visits. Undecided visits count in no sense.
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
    """Return the line of a new species; a long name loses its scientific name, or its end."""
    before = f"  {row.first.started:%Y-%m-%d %H:%M}  "
    after = f", {VERBS[row.first.senses]}, {row.first.score:.2f}"
    room = COLUMNS - len(before) - len(after)
    full, name = names.full(row.label, row.scientific), names.common(row.label)
    return before + (full if columns(full) <= room else fit(name, room).rstrip()) + after


def _line(row: SpeciesSummary, names: Names) -> str:
    hours = "".join(
        "." if not count else str(count) if count <= MAX_DIGIT else "+" for count in row.hours
    )
    senses = (
        ""
        if row.label == UNDECIDED
        else f"{row.senses[Sense.IMAGE]:>4} {row.senses[Sense.AUDIO]:>5} "
        f"{row.senses[Sense.BOTH]:>4}  {row.score:.2f}"
    )
    name = fit(names.common(row.label), NAME_COLUMNS)
    return f"{name}  {row.visits:>6}  {hours}  {senses}".rstrip()


def fit(text: str, width: int) -> str:
    """Pad a text to a width in terminal columns, or cut it to the width, with … at the end."""
    if columns(text) > width:
        while columns(text) > width - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (width - columns(text))


def columns(text: str) -> int:
    """Return the width of a text in terminal columns."""
    return sum(
        0
        if unicodedata.category(character) in NO_WIDTH
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )
