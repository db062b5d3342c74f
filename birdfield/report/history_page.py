"""History page: shows a journal as one HTML file; needs jinja2."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from birdfield.atomic import new_folder
from birdfield.journal.database import Journal
from birdfield.journal.history import HOURS, History, SpeciesSummary
from birdfield.journal.history_table import VERBS
from birdfield.journal.queries import boxes_of
from birdfield.journal.records import VisitRecord
from birdfield.model.names import LABELS_ONLY, Names
from birdfield.report.folder import PAGE, check_folder
from birdfield.report.media import picture_uri, sound_uri
from birdfield.signals.boxes import Box

NEEDED = ("jinja2",)
MAX_SPECIES = 60  # whose evidence is shown: about 5 MB


@dataclass(frozen=True)
class HeatRow:
    """A row of a heat map.

    Attributes:
        label: The species.
        counts: Visits, one column for each hour or span of days.
        most: The largest count of all rows.
    """

    label: str
    counts: tuple[int, ...]
    most: int

    def share(self, count: int) -> float:
        """Return the strength of a cell's colour, 0..1."""
        return 0.15 + 0.85 * count / self.most if count else 0.0


@dataclass(frozen=True)
class Card:
    """A visit with its evidence: `data:` URIs, or None where the evidence is gone."""

    visit: VisitRecord
    picture: str | None
    sonogram: str | None
    sound: str | None


def check_history(folder: Path) -> None:
    """Check, before reading the journal, that a page can be written to a folder.

    Raises:
        MissingError: When jinja2 is missing.
        InputError: When the folder holds anything but an older page.
    """
    check_folder(folder, NEEDED, {PAGE})


def write_history(
    folder: Path, journal: Journal, history: History, names: Names = LABELS_ONLY
) -> None:
    """Write the page; replace an older page when the new one is complete.

    Raises:
        MissingError: When jinja2 is missing.
        InputError: When the folder holds anything but an older page, or cannot be written.
    """
    check_history(folder)
    page = build_history(journal, history, names)
    with new_folder(folder, force=True) as draft:
        (draft / PAGE).write_bytes(page.encode(errors="backslashreplace"))


def build_history(journal: Journal, history: History, names: Names = LABELS_ONLY) -> str:
    """Return the page, with species by these names; all text from outside is escaped."""
    from birdfield.report.template import render

    spans = history.spans() if history.visits else ()
    days = history.days() if history.visits else ()
    by_day = {
        row.label: tuple(sum(row.days[day] for day in span) for span in spans)
        for row in history.species
    }
    return render(
        "history.html",
        {
            "journal": journal.folder.resolve().name,
            "history": history,
            "days": days,
            "spans": spans,
            "by_hour": _heat_rows({row.label: tuple(row.hours) for row in history.species}),
            "by_day": _heat_rows(by_day),
            "hours": [(f"{hour:02d}", f"{hour:02d}:00 to {hour:02d}:59") for hour in range(HOURS)],
            "span_names": [_span_name(spans, index) for index in range(len(spans))],
            "senses": history.senses(),
            "by": VERBS,
            "names": names,
            "cards": _cards(journal, history.named[:MAX_SPECIES]),
            "left_out": max(len(history.named) - MAX_SPECIES, 0),
        },
    )


def _span_name(spans: Sequence[Sequence[date]], index: int) -> tuple[str, str]:
    """Return a column's heading, with the month where it changes, and its tooltip."""
    first, last = spans[index][0], spans[index][-1]
    new = not index or spans[index - 1][0].month != first.month
    return (
        f"{first:%d\n%b}" if new else f"{first:%d}",
        f"{first}" if first == last else f"{first} to {last}",
    )


def _heat_rows(counts: Mapping[str, tuple[int, ...]]) -> tuple[HeatRow, ...]:
    most = max((count for row in counts.values() for count in row), default=0)
    return tuple(HeatRow(label, row, most) for label, row in counts.items())


def _cards(journal: Journal, species: tuple[SpeciesSummary, ...]) -> list[Card]:
    shown = [visit for row in species for visit in row.best]
    boxes = boxes_of(journal, [visit.id for visit in shown])
    return [
        Card(
            visit,
            _uri(journal, visit.picture, boxes.get(visit.id)),
            _uri(journal, visit.sonogram, None),
            _sound(journal, visit.sound),
        )
        for visit in shown
    ]


def _uri(journal: Journal, path: str | None, box: Box | None) -> str | None:
    """Read a picture of a visit; return None for a path that leads out of the journal."""
    file = _inside(journal, path)
    return None if file is None else picture_uri(file, box)


def _sound(journal: Journal, path: str | None) -> str | None:
    """Read the sound of a visit; return None for a path that leads out of the journal."""
    file = _inside(journal, path)
    return None if file is None else sound_uri(file)


def _inside(journal: Journal, path: str | None) -> Path | None:
    if path is None:
        return None
    file = journal.folder / path
    return file if file.resolve().is_relative_to(journal.folder.resolve()) else None
