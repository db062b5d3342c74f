"""Command `report`: summarises a journal as text or as an HTML page."""

from pathlib import Path
from typing import Annotated

import typer

from birdfield.commands.options import (
    JournalArgument,
    LangOption,
    NamesOption,
    SinceOption,
    UntilOption,
)


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
    from birdfield.journal.queries import parse_period

    from_time, to_time = parse_period(since, "--since"), parse_period(until, "--until")
    if html:
        from birdfield.report.history_page import check_history, write_history

        check_history(html)
    names = names_of_journal(lang, names_file)
    with reading(journal) as opened:
        history = gather_history(opened, from_time, to_time)
        if html:
            write_history(html, opened, history, names)
    print(html / "index.html" if html else to_text(history, names))
