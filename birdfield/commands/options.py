"""Options and arguments that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

CONFIG_FILE = "~/.config/birdfield/birdfield.toml"

ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="The bundle NAME.birdfield; default: from BIRDFIELD_MODEL, else the starter model.",
    ),
]
ModelArgument = Annotated[
    Path,
    typer.Argument(metavar="MODEL", help="A bundle NAME.birdfield, or starter."),
]
StationModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="The bundle NAME.birdfield; default: from BIRDFIELD_MODEL, else from the "
        "configuration, else the starter model.",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help=f"The configuration file; default: {CONFIG_FILE}. Options override it.",
    ),
]


def decimal(least: float, most: float) -> Callable[[str], float]:
    """Return a parser of numbers from least to most, with a decimal point or a decimal comma."""

    def parse(text: str) -> float:
        from birdfield.settings.values import parse_number

        try:
            number = parse_number(text)
        except ValueError:
            number = float("nan")
        if not least <= number <= most:  # also true of NaN
            raise typer.BadParameter(
                f"{text!r}; expected a number from {least:g} to {most:g}, such as {least + 0.5:g}"
            )
        return number

    return parse


JsonSwitch = Annotated[bool, typer.Option("--json", help="Print JSON lines.")]
LangOption = Annotated[
    str | None,
    typer.Option(
        metavar="CODE", help="The language of species' names, such as de; adds scientific names."
    ),
]
NamesOption = Annotated[
    Path | None,
    typer.Option(
        "--names",
        metavar="CSV",
        help="Species' names, with the columns label,scientific,lang,name; default: from the "
        "configuration, else from the model.",
    ),
]
TimezoneOption = Annotated[
    str | None,
    typer.Option(
        metavar="ZONE",
        help="The local time of the recordings, such as Europe/Berlin or +02:00; default: that of "
        "this machine.",
    ),
]
JournalArgument = Annotated[
    Path, typer.Argument(metavar="JOURNAL", help="The folder given to watch --journal.")
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Only from this local time, such as 2026-05-01, 2026-05-01T06:30, today, yesterday "
        "or 7d.",
    ),
]
UntilOption = Annotated[str | None, typer.Option(metavar="TIME", help="Only before this time.")]
CsvOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Also write the rows to a CSV file.")
]
