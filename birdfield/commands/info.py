"""Command `info`: shows a model."""

import json
from pathlib import Path
from typing import Annotated

import typer

from birdfield.commands.options import JsonSwitch


def info(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="MODEL",
            help="The bundle NAME.birdfield; default: from BIRDFIELD_MODEL, else starter.",
        ),
    ] = None,
    json_lines: JsonSwitch = False,
) -> None:
    """Show a model's species, accuracy, parts and licences."""
    from birdfield.commands.describe import describe, to_text
    from birdfield.model.open_model import open_model

    bundle, _, gallery = open_model(model)
    if json_lines:
        print(json.dumps(describe(bundle, gallery), ensure_ascii=False))
    else:
        print(to_text(bundle, gallery))
