"""A history as a table of plain text, 80 columns wide."""

import unicodedata
from collections.abc import Iterator

from birdfield.history import UNDECIDED, History, Presence, began_at

NAME_COLUMNS = 22
MANY = 9  # visits in an hour that one digit can tell
BY = {"image": "seen", "audio": "heard", "both": "seen and heard"}


def to_text(history: History) -> str:
    """Write what a period's visits come to, a line a species; of each hour the visits, + is more.

    Undecided visits are counted, but have neither hours nor senses in the sums.
    """
    if not history.visits:
        return "no visits"
    return "\n".join(_lines(history))


def _lines(history: History) -> Iterator[str]:
    days = history.days()
    yield (f"{history.visits} visits of {len(history.named)} species, {days[0]} to {days[-1]}, "
           "by the hour in which they began")
    yield ""
    yield f"{'':<{NAME_COLUMNS}}  visits  0     6     12    18     seen heard both  best"
    for row in history.species:
        yield _line(row)
    if history.arrivals:
        yield ""
        yield "New in this journal:"
    for row in history.arrivals:
        yield (f"  {began_at(row.first):%Y-%m-%d %H:%M}  {row.label}, {BY[row.first['senses']]}, "
               f"{row.first['score']:.2f}")


def _line(row: Presence) -> str:
    hours = "".join("." if not count else str(count) if count <= MANY else "+"
                    for count in row.hours)
    senses = ("" if row.label == UNDECIDED else
              f"{row.senses['image']:>4} {row.senses['audio']:>5} {row.senses['both']:>4}"
              f"  {row.score:.2f}")
    return f"{fit(row.label, NAME_COLUMNS)}  {row.visits:>6}  {hours}  {senses}".rstrip()


def fit(text: str, columns: int) -> str:
    """Cut or fill a text to so many columns of a terminal; wide characters take two."""
    cut, taken = "", 0
    for character in text:
        width = _columns(character)
        if taken + width > columns:
            break
        cut, taken = cut + character, taken + width
    return cut + " " * (columns - taken)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
