"""Command `bench`: times models on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from birdfield.commands.console import check_output, progress, show_figures
from birdfield.paths import MAX_THREADS


def bench(
    models: Annotated[
        list[Path],
        typer.Argument(metavar="MODEL", help="Bundles NAME.birdfield, or starter."),
    ],
    threads: Annotated[
        int,
        typer.Option(min=1, max=MAX_THREADS, metavar="N", help="The threads of each interpreter."),
    ] = 1,
    against_birdnet: Annotated[
        bool,
        typer.Option("--against-birdnet", help="Also time BirdNET; needs birdfield[birdnet]."),
    ] = False,
    gallery: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Also time the match among up to N species with 4 prototypes each."
        ),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the figures as JSON; - is stdout."),
    ] = None,
) -> None:
    """Time models on this machine: stages, start, memory, CPU.

    Several models are timed in turn, so that other load affects them equally.
    """
    from birdfield.bench.models import Candidate, measure
    from birdfield.bench.table import to_table
    from birdfield.model.open_model import open_model

    check_output(json_file, to_stdout=True)
    candidates = []
    for path in models:
        bundle, _, known = open_model(path)
        candidates.append(Candidate(path, bundle, known))
    figures = measure(candidates, threads, against_birdnet, gallery, progress)
    show_figures(to_table(figures), figures.to_json(), json_file)
