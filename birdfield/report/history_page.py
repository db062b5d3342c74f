"""A journal's history as one page; needs jinja2 of the report extra."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from birdfield.atomic import new_folder
from birdfield.journal.database import Journal
from birdfield.journal.history import HOURS, History, SpeciesSummary, Visit, began_at, boxes_of
from birdfield.journal.history_table import BY
from birdfield.model.names import LABELS, Names
from birdfield.report.folder import PAGE, check_folder
from birdfield.report.media import picture_uri
from birdfield.signals.boxes import Box

NEEDED = ("jinja2",)
MOST = 60  # species whose evidence is shown: about 5 MB


@dataclass(frozen=True)
class Heat:
    """A row of a heat map.

    Attributes:
        label: The species.
        counts: Visits, a column each.
        most: The largest count of any row.
    """

    label: str
    counts: tuple[int, ...]
    most: int

    def share(self, count: int) -> float:
        """Return how strong a cell's colour is, 0..1."""
        return 0.15 + 0.85 * count / self.most if count else 0.0


@dataclass(frozen=True)
class Card:
    """A visit with what was kept of it: `data:` URIs, or None where that is gone."""

    visit: Visit
    picture: str | None
    sonogram: str | None


def check_history(folder: Path) -> None:
    """Check, before the work, that a page can be made, and takes nobody's place.

    Raises:
        MissingError: When jinja2 is missing.
        InputError: When the folder holds anything but an older page.
    """
    check_folder(folder, NEEDED, {PAGE})


def write_history(folder: Path, journal: Journal, history: History, names: Names = LABELS) -> None:
    """Write the page; an older one is replaced when the new one is whole.

    Raises:
        MissingError: When jinja2 is missing.
        InputError: When the folder is no such page's, or the disk does not take it.
    """
    check_history(folder)
    page = build_history(journal, history, names)
    with new_folder(folder, force=True) as draft:
        (draft / PAGE).write_bytes(page.encode(errors="backslashreplace"))


def build_history(journal: Journal, history: History, names: Names = LABELS) -> str:
    """Write the whole page, with species by these names; all that comes from outside is escaped."""
    from birdfield.report.template import render

    spans = history.spans() if history.visits else ()
    return render(
        "history.html",
        journal=journal.folder.resolve().name,
        history=history,
        days=history.days() if history.visits else (),
        spans=spans,
        by_hour=_heat({row.label: tuple(row.hours) for row in history.species}),
        by_day=_heat(
            {
                row.label: tuple(sum(row.days[day] for day in span) for span in spans)
                for row in history.species
            }
        ),
        hours=[(f"{hour:02d}", f"{hour:02d}:00 to {hour:02d}:59") for hour in range(HOURS)],
        span_names=[_span_name(spans, index) for index in range(len(spans))],
        senses=history.senses(),
        by=BY,
        began_at=began_at,
        names=names,
        cards=_cards(journal, history.named[:MOST]),
        left_out=max(len(history.named) - MOST, 0),
    )


def _span_name(spans: Sequence[Sequence[date]], index: int) -> tuple[str, str]:
    """Name a column: the day, with its month where that is new; and the whole, for a pointer."""
    first, last = spans[index][0], spans[index][-1]
    new = not index or spans[index - 1][0].month != first.month
    return (
        f"{first:%d\n%b}" if new else f"{first:%d}",
        f"{first}" if first == last else f"{first} to {last}",
    )


def _heat(counts: Mapping[str, tuple[int, ...]]) -> tuple[Heat, ...]:
    most = max((count for row in counts.values() for count in row), default=0)
    return tuple(Heat(label, row, most) for label, row in counts.items())


def _cards(journal: Journal, species: tuple[SpeciesSummary, ...]) -> list[Card]:
    shown = [visit for row in species for visit in row.best]
    boxes = boxes_of(journal, [visit["id"] for visit in shown])
    return [
        Card(
            visit,
            _uri(journal, visit["picture"], boxes.get(visit["id"])),
            _uri(journal, visit["sonogram"], None),
        )
        for visit in shown
    ]


def _uri(journal: Journal, path: str | None, box: Box | None) -> str | None:
    """Read a file of a visit; a journal that names files of elsewhere is not followed there."""
    if path is None:
        return None
    file = journal.folder / path
    if not file.resolve().is_relative_to(journal.folder.resolve()):
        return None
    return picture_uri(file, box)
