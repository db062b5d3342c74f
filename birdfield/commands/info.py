"""Command `info`: shows what a model is."""

import json
from pathlib import Path
from typing import Annotated

import typer

from birdfield.commands.options import JsonSwitch


def info(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="MODEL", help="A bundle; else BIRDFIELD_MODEL, else the packaged starter."
        ),
    ] = None,
    json_lines: JsonSwitch = False,
) -> None:
    """Tell what a model is: species, accuracy, parts, licences."""
    from birdfield.commands.describe import describe, to_text
    from birdfield.model.open_model import open_model

    bundle, _, gallery = open_model(model)
    entry = describe(bundle, gallery)
    print(json.dumps(entry, ensure_ascii=False) if json_lines else to_text(entry))
