"""Commands `visits` and `export-visits`: list and export the visits of a journal."""

import io
import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from birdfield.commands.console import check_output, print_error
from birdfield.commands.options import (
    CsvOption,
    JournalArgument,
    JsonSwitch,
    LangOption,
    NamesOption,
    SinceOption,
    UntilOption,
)
from birdfield.settings.bounds import MAX_COUNT

if TYPE_CHECKING:
    from birdfield.journal.database import Journal
    from birdfield.journal.queries import Selection
    from birdfield.journal.records import VisitRecord
    from birdfield.model.names import Names


def visits(
    journal: JournalArgument,
    species: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Only this species, by its label or its name in --lang; or undecided.",
        ),
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    last: Annotated[
        int | None, typer.Option(min=1, max=MAX_COUNT, metavar="N", help="Only the newest N.")
    ] = None,
    events: Annotated[
        bool, typer.Option("--events", help="List the events of the station instead.")
    ] = False,
    csv: CsvOption = None,
    lang: LangOption = None,
    names_file: NamesOption = None,
    json_lines: JsonSwitch = False,
) -> None:
    """List the visits, or the events, of a journal."""
    from birdfield.commands.species_names import names_of_journal
    from birdfield.errors import UsageError
    from birdfield.journal.opening import reading
    from birdfield.journal.queries import Selection, parse_period

    if events and species is not None:
        raise UsageError("events have no species; leave out --species or --events")
    from_time, to_time = parse_period(since, "--since"), parse_period(until, "--until")
    check_output(csv)
    names = names_of_journal(lang, names_file)
    wanted = Selection(species and names.label(species), from_time, to_time, last)
    with reading(journal) as opened:
        found = (
            _list_events(opened, wanted, csv, json_lines)
            if events
            else _list_visits(opened, wanted, names, csv, json_lines)
        )
    if not found:
        print_error(f"{journal}: no matching {'events' if events else 'visits'}")


def _list_events(
    journal: "Journal", wanted: "Selection", csv: Path | None, json_lines: bool
) -> bool:
    """Print events, and write them to a CSV; return whether there are any."""
    from birdfield.atomic import write_file
    from birdfield.journal.listing import event_line, events_csv
    from birdfield.journal.queries import events_of

    kept, found = [], False
    for event in events_of(journal, wanted.since, wanted.until, wanted.last):
        found = True
        print(json.dumps(event.to_json(), ensure_ascii=False) if json_lines else event_line(event))
        if csv:
            kept.append(event)
    if csv:
        write_file(csv, events_csv(kept).encode())
    return found


def _list_visits(
    journal: "Journal", wanted: "Selection", names: "Names", csv: Path | None, json_lines: bool
) -> bool:
    """Print visits, and write them to a CSV; return whether there are any."""
    from birdfield.atomic import writing_file
    from birdfield.journal.listing import visit_line, write_visits_csv
    from birdfield.journal.queries import visits_of

    found = False

    def printed() -> Iterator["VisitRecord"]:
        nonlocal found
        for visit in visits_of(journal, wanted):
            found = True
            print(
                json.dumps(names.localise(visit.to_json()), ensure_ascii=False)
                if json_lines
                else visit_line(visit, names)
            )
            yield visit

    if csv is None:
        deque(printed(), maxlen=0)
        return found
    with writing_file(csv) as file:
        stream = io.TextIOWrapper(file, encoding="utf-8", newline="")
        write_visits_csv(printed(), stream, names)
        stream.detach()
    return found


def export_visits(
    journal: JournalArgument,
    out: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")],
    form: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT", help="csv, ebird, raven, audacity or parquet."),
    ] = "csv",
    location: Annotated[
        str | None,
        typer.Option(
            metavar="LAT,LON,NAME",
            help="The location of the station in degrees, for eBird; default: from the "
            "configuration.",
        ),
    ] = None,
    session: Annotated[
        int | None, typer.Option(min=1, max=MAX_COUNT, metavar="N", help="Only this run of watch.")
    ] = None,
    species: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only this species, by its label; or undecided."),
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
) -> None:
    """Export visits for a spreadsheet, eBird, Raven or Audacity."""
    from birdfield.errors import InputError
    from birdfield.journal import exports as exporting
    from birdfield.journal.opening import reading
    from birdfield.journal.queries import Selection, parse_period, visits_of
    from birdfield.model.bird_names import bird_names
    from birdfield.model.names import LABELS_ONLY, Names, merge_names
    from birdfield.settings.configuration import find_config, load_config
    from birdfield.settings.place import parse_location

    exporting.check_format(form)
    check_output(out)
    names = LABELS_ONLY
    place = parse_location(location, "--location") if location else None
    if form == "ebird":
        settings = load_config(find_config(None)).settings
        place = place or settings.place.location
        names = Names(merge_names(bird_names().values(), settings.names.file))
    selection = Selection(
        species, parse_period(since, "--since"), parse_period(until, "--until"), session=session
    )
    count = 0

    def counted(opened: "Journal") -> Iterator["VisitRecord"]:
        nonlocal count
        for visit in exporting.with_scientific(visits_of(opened, selection), names):
            count += 1
            yield visit

    try:
        with reading(journal) as opened:
            files = exporting.export_visits(counted(opened), form, place, out)
    except exporting.MixedSessionsError as error:
        raise InputError(f"{error} with --session") from error
    more = f", in {len(files)} files, as eBird accepts 1 MB: to {files[-1]}" if files[1:] else ""
    print(f"{out}: {count} visits{more}")
