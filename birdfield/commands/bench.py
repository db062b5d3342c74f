"""Command `bench`: times models on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from birdfield.commands.console import check_output, progress, show_figures
from birdfield.paths import MAX_THREADS


def bench(
    models: Annotated[
        list[Path],
        typer.Argument(metavar="MODEL", help="Bundles, or starter for the packaged one."),
    ],
    threads: Annotated[int, typer.Option(min=1, max=MAX_THREADS, help="Of each interpreter.")] = 1,
    against_birdnet: Annotated[
        bool,
        typer.Option(
            "--against-birdnet", help="Run BirdNET beside them; needs birdfield[birdnet]."
        ),
    ] = False,
    gallery: Annotated[
        int | None,
        typer.Option(metavar="N", help="Time the match among up to N species of 4 prototypes."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures; - is stdout.")
    ] = None,
) -> None:
    """Time models on this machine, side by side: stages, start, memory, processor."""
    from birdfield.bench.models import measure
    from birdfield.bench.table import to_table
    from birdfield.model.open_model import open_model

    check_output(json_file, to_stdout=True)
    opened = [(path, *open_model(path)) for path in models]
    figures = measure(
        [(path, bundle, known) for path, bundle, _, known in opened],
        threads,
        against_birdnet,
        gallery,
        progress,
    )
    show_figures(to_table(figures), figures, json_file)
