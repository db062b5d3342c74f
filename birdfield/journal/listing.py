"""Listing: visits and events as lines for people, and as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TextIO

from birdfield.journal.records import (
    EVENT_COLUMNS,
    UNDECIDED,
    VISIT_COLUMNS,
    EventRecord,
    VisitRecord,
)
from birdfield.model.names import LABELS_ONLY, Names
from birdfield.model.sense import Sense
from birdfield.recognise.observation import escape_formula

MARKS = {None: "", "new": "  new here", "rare": "  rare here"}


def visit_line(visit: VisitRecord, names: Names = LABELS_ONLY) -> str:
    """Return a visit as a line of text, with species by these names."""
    kept = "+".join(kind for kind in ("picture", "sound") if getattr(visit, kind))
    sense = "image+audio" if visit.senses is Sense.BOTH else visit.senses
    return (
        f"{visit.started:%Y-%m-%d %H:%M:%S}-{visit.ended:%H:%M:%S}  "
        f"{_species(visit, names)}  {visit.score:.2f}  [{sense}]"
        f"{f'  {kept}' if kept else ''}{MARKS[visit.mark]}"
        f"{'  (clock corrected)' if visit.clock_shift_s else ''}"
    )


def _species(visit: VisitRecord, names: Names) -> str:
    if visit.species:
        return names.full(visit.species, visit.scientific)
    nearest = [names.full(each.species) for each in visit.candidates[:2]]
    if visit.first_species:
        return f"unknown (nearest: {nearest[0]})"
    return f"{UNDECIDED}: {' or '.join(nearest)}"


def event_line(event: EventRecord) -> str:
    """Return an event as a line of text."""
    return f"{event.time:%Y-%m-%d %H:%M:%S}  {event.kind}: {event.detail}"


def write_visits_csv(
    visits: Iterable[VisitRecord], stream: TextIO, names: Names = LABELS_ONLY
) -> None:
    """Write visits as CSV with the columns VISIT_COLUMNS, row by row.

    With names in a language, a column "name" follows.
    """
    writer: csv.DictWriter[str] | None = None
    for visit in visits:
        shares = "; ".join(f"{each.species} {each.share}" for each in visit.candidates)
        entry = {**names.localise(visit.to_json()), "candidates": shares}
        if writer is None:
            columns = (*VISIT_COLUMNS, "name") if "name" in entry else VISIT_COLUMNS
            writer = _writer(stream, columns)
        writer.writerow({name: escape_formula(value) for name, value in entry.items()})
    if writer is None:
        _writer(stream, VISIT_COLUMNS)


def events_csv(events: Iterable[EventRecord]) -> str:
    """Return events as CSV with the columns EVENT_COLUMNS."""
    stream = io.StringIO()
    writer = _writer(stream, EVENT_COLUMNS)
    for event in events:
        writer.writerow({name: escape_formula(value) for name, value in event.to_json().items()})
    return stream.getvalue()


def _writer(stream: TextIO, columns: Sequence[str]) -> "csv.DictWriter[str]":
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    return writer
