"""Options and arguments that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model", help="A bundle NAME.birdfield; else BIRDFIELD_MODEL, else the packaged starter."
    ),
]
ModelArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL", help="A bundle NAME.birdfield, or starter for the packaged one."
    ),
]
StationModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        help="A bundle NAME.birdfield; else BIRDFIELD_MODEL, else the configuration's, else "
        "the packaged starter.",
    ),
]
JsonSwitch = Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")]
LangOption = Annotated[
    str | None,
    typer.Option(
        metavar="CODE", help="Species' names in this language, with the scientific ones beside."
    ),
]
NamesOption = Annotated[
    Path | None,
    typer.Option(
        "--names",
        metavar="CSV",
        help="Names: label,scientific,lang,name; else the configuration's or the model's.",
    ),
]
