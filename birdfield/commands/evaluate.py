"""Command `evaluate`: measures a model on files that it was not trained on."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from birdfield.commands import workstation
from birdfield.commands.console import check_output, print_error, progress, show_figures

if TYPE_CHECKING:
    from birdfield.model.encoder import Encoder
    from birdfield.model.gallery import Gallery


def evaluate(
    model: Annotated[
        Path, typer.Argument(metavar="RUN_OR_MODEL", help="A bundle, or a training run.")
    ],
    image_dir: Annotated[Path, typer.Argument(metavar="IMAGE_DIR")],
    audio_dir: Annotated[Path, typer.Argument(metavar="AUDIO_DIR")],
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures; - is stdout.")
    ] = None,
    noise: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Sounds <kind>__<n>.wav; adds noise and damages photographs."
        ),
    ] = None,
    unknown: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="IMAGE_DIR AUDIO_DIR", help="Species that the model does not know."),
    ] = None,
    no_bird: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="IMAGE_DIR AUDIO_DIR", help="Photographs and recordings of no bird."),
    ] = None,
    report_dir: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="DIR",
            help="Write a page to look at, DIR/index.html, and the figures.",
        ),
    ] = None,
) -> None:
    """Measure a model on photographs and recordings that it was not trained on."""
    from birdfield.evaluate.files import embed_dataset, embed_folders
    from birdfield.evaluate.noise import find_noises, measure_noise
    from birdfield.evaluate.scores import late_fusion, report, score
    from birdfield.evaluate.table import to_table
    from birdfield.evaluate.unknown import (
        measure_background,
        measure_unknown,
        pair_background,
        pair_unknown,
        scan_unknown,
        separate,
    )
    from birdfield.recognise.close_look import CloseLook
    from birdfield.recognise.dataset import scan_background

    check_output(json_file, to_stdout=True)
    if report_dir:
        from birdfield.report import check_report, gather, write_report

        check_report(report_dir)
    plain, gallery, model_id = open_run_or_model(model)
    encoder = CloseLook(plain, gallery)
    # All folders are looked into before the first of them is embedded.
    strangers = scan_unknown(gallery.labels, *unknown) if unknown else None
    nobody = scan_background(*no_bird) if no_bird else None
    noises = find_noises(noise) if noise else None
    files = embed_folders(encoder, gallery.labels, image_dir, audio_dir, progress)
    problems = [*files.problems, *(noises.problems if noises else ())]
    scored = score(encoder.fuse, gallery, files.images, files.audio)
    figures = report(
        scored, model_id, len(gallery.species), late_fusion(scored, gallery.calibration)
    )
    separations = {}
    if noises:
        figures["noise"] = measure_noise(encoder, gallery, files, noises, progress)
    if strangers:
        found = embed_dataset(encoder, strangers.labels, strangers, progress)
        figures["unknown"] = measure_unknown(encoder.fuse, scored, found, strangers.labels)
        separations["unknown"] = separate(encoder.fuse, scored, found, pair_unknown(found))
        problems += found.problems
    if nobody:
        found = embed_dataset(encoder, nobody.labels, nobody, progress)
        figures["no_bird"] = measure_background(encoder.fuse, scored, found)
        separations["no_bird"] = separate(encoder.fuse, scored, found, pair_background(found))
        problems += found.problems
    for problem in problems:
        print_error(f"skipped {problem}")
    show_figures(figures, to_table, json_file)
    if report_dir:
        write_report(
            report_dir,
            gather(encoder.fuse, gallery, files, scored, figures, model, sys.argv, separations),
        )


def open_run_or_model(path: Path) -> tuple["Encoder", "Gallery", str]:
    """Open a run or a bundle: its encoder, its gallery, and the name of the model."""
    from birdfield.model.open_model import open_model

    if (path / "run.json").exists():
        return (*workstation.open_run(path), path.name)
    bundle, encoder, gallery = open_model(path)
    return encoder, gallery, bundle.model_id
