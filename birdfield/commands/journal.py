"""Commands of a journal: visits, report, export-visits and rescore."""

import json
from contextlib import closing
from datetime import UTC, datetime
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
    from birdfield.journal.queries import Selection, parse_time

    if events and species is not None:
        raise UsageError("events have no species; leave out --species or --events")
    from_time, to_time = parse_time(since, "--since"), parse_time(until, "--until")
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
    from birdfield.atomic import write_file
    from birdfield.journal.listing import visit_line, visits_csv
    from birdfield.journal.queries import visits_of

    kept, found = [], False
    for visit in visits_of(journal, wanted):
        found = True
        print(
            json.dumps(names.localise(visit.to_json()), ensure_ascii=False)
            if json_lines
            else visit_line(visit, names)
        )
        if csv:
            kept.append(visit)
    if csv:
        write_file(csv, visits_csv(kept, names).encode())
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
    from birdfield.journal.queries import Selection, parse_time, visits_of
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
        names = Names(merge_names((), settings.names.file))
    selection = Selection(
        species, parse_time(since, "--since"), parse_time(until, "--until"), session=session
    )
    with reading(journal) as opened:
        rows = exporting.with_scientific(list(visits_of(opened, selection)), names)
    try:
        exporting.export_visits(rows, form, place, out)
    except exporting.MixedSessionsError as error:
        raise InputError(f"{error} with --session") from error
    print(f"{out}: {len(rows)} visits")


def rescore(
    journal: JournalArgument,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="The bundle that wrote the journal; default: as for watch.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the changes only.")] = False,
) -> None:
    """Update past visits after you changed the species.

    Run it after enrol, species rename or species remove. A visit keeps its species if the
    configuration excludes the new one, or its score is below the threshold.
    """
    from birdfield.journal.opening import open_journal, reading
    from birdfield.model.open_model import open_model
    from birdfield.model.store_file import load_store
    from birdfield.settings.configuration import find_config, load_config
    from birdfield.settings.resolve import ResolvedSettings
    from birdfield.settings.rules import LiveRules
    from birdfield.watch.recogniser import Recogniser
    from birdfield.watch.rescore import check_models
    from birdfield.watch.rescore import rescore as rescore_visits

    choice = ResolvedSettings(load_config(find_config(None)), {"watch.model": model})
    bundle, encoder, gallery = open_model(choice.model)
    rules = LiveRules(choice.rules(choice.config, gallery.species))
    recogniser = Recogniser(encoder, gallery, bundle.model_id, rules)
    renamed = load_store(bundle).renamed
    count = 0
    with reading(journal) as opened:
        for other, number in check_models(opened, bundle.model_id):
            print_error(
                f"skipped {number} visits of model {other}; the bundle is model {bundle.model_id}"
            )
    with reading(journal) if dry_run else closing(open_journal(journal)) as opened:
        for each in rescore_visits(opened, recogniser, renamed, dry_run):
            count += 1
            none = "unknown" if each.first else "undecided"
            print(
                f"visit {each.visit}: {each.before or none} -> {each.after or none} "
                f"{each.score:.2f}"
            )
        if count and not dry_run:
            opened.add_events(
                [(datetime.now(UTC), "rescored", f"{count} visits have another species now")]
            )
    print(f"{count} visits {'would have' if dry_run else 'have'} another species")


def report(
    journal: JournalArgument,
    since: SinceOption = None,
    until: UntilOption = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="DIR",
            help="Write an HTML page, DIR/index.html, with pictures and sonograms.",
        ),
    ] = None,
    lang: LangOption = None,
    names_file: NamesOption = None,
) -> None:
    """Summarise a journal by hour, species and sense."""
    from birdfield.commands.species_names import names_of_journal
    from birdfield.journal.history import gather_history
    from birdfield.journal.history_table import to_text
    from birdfield.journal.opening import reading
    from birdfield.journal.queries import parse_time

    from_time, to_time = parse_time(since, "--since"), parse_time(until, "--until")
    if html:
        from birdfield.report.history_page import check_history, write_history

        check_history(html)
    names = names_of_journal(lang, names_file)
    with reading(journal) as opened:
        history = gather_history(opened, from_time, to_time)
        if html:
            write_history(html, opened, history, names)
    print(html / "index.html" if html else to_text(history, names))
