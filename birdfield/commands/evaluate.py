"""Command `evaluate`: measures a model on files that it was not trained on."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from birdfield.commands import workstation
from birdfield.commands.console import (
    check_output,
    name_option,
    print_error,
    progress,
    show_figures,
)

if TYPE_CHECKING:
    from birdfield.evaluate.evaluation import EvaluatedModel

IMAGE_AND_AUDIO_DIR = "IMAGE_DIR AUDIO_DIR"


def evaluate(
    model: Annotated[
        Path, typer.Argument(metavar="RUN_OR_MODEL", help="A training run, or a bundle.")
    ],
    image_dir: Annotated[
        Path, typer.Argument(metavar="IMAGE_DIR", help="Photographs, one folder for each species.")
    ],
    audio_dir: Annotated[
        Path, typer.Argument(metavar="AUDIO_DIR", help="Recordings, one folder for each species.")
    ],
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the figures as JSON; - is stdout."),
    ] = None,
    noise: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Also measure with these noises, KIND__NUMBER.wav, and with damaged photographs.",
        ),
    ] = None,
    unknown: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar=IMAGE_AND_AUDIO_DIR,
            help="Also measure with species that the model does not know.",
        ),
    ] = None,
    background_dirs: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--no-bird",
            metavar=IMAGE_AND_AUDIO_DIR,
            help="Also measure with photographs and recordings without a bird.",
        ),
    ] = None,
    report_dir: Annotated[
        Path | None,
        typer.Option(
            "--report", metavar="DIR", help="Write an HTML page, DIR/index.html, and the figures."
        ),
    ] = None,
) -> None:
    """Measure a model on files that it was not trained on."""
    from birdfield.evaluate.evaluation import EvaluationData, measure
    from birdfield.evaluate.noise_files import find_noises
    from birdfield.evaluate.rejection import scan_unknown
    from birdfield.evaluate.table import to_table
    from birdfield.recognise.dataset import scan_background

    check_output(json_file, to_stdout=True)
    if report_dir:
        from birdfield.report import check_report

        check_report(report_dir)
    tested = open_run_or_model(model)
    # List all folders first: embedding takes long, and must not end in a missing folder.
    with name_option("--unknown"):
        unknown_species = scan_unknown(tested.gallery.labels, *unknown) if unknown else None
    with name_option("--no-bird"):
        background = scan_background(*background_dirs) if background_dirs else None
    with name_option("--noise"):
        noises = find_noises(noise) if noise else None
    data = EvaluationData(image_dir, audio_dir, noises, unknown_species, background)
    found = measure(tested, data, progress)
    for problem in found.problems:
        print_error(f"skipped {problem}")
    show_figures(to_table(found.figures), found.figures.to_json(), json_file)
    if report_dir:
        from birdfield.report import gather, write_report

        write_report(report_dir, gather(tested.encoder.fuse, found, model, sys.argv))


def open_run_or_model(path: Path) -> "EvaluatedModel":
    """Open a training run or a bundle."""
    from birdfield.evaluate.evaluation import EvaluatedModel
    from birdfield.model.open_model import open_model
    from birdfield.recognise.close_look import CloseLookEncoder

    if (path / "run.json").exists():
        encoder, gallery = workstation.open_run(path)
        return EvaluatedModel(CloseLookEncoder(encoder, gallery), gallery, path.name)
    bundle, encoder, gallery = open_model(path)
    return EvaluatedModel(CloseLookEncoder(encoder, gallery), gallery, bundle.model_id)
