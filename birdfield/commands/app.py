"""The command line. Answers go to stdout; logs, progress and complaints go to stderr."""

import io
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from birdfield import __version__
from birdfield.commands import config, doctor, journal, service, watch, workstation
from birdfield.commands.console import check_output, print_error, progress, show, show_figures
from birdfield.commands.options import (
    JsonSwitch,
    LangOption,
    ModelArgument,
    ModelOption,
    NamesOption,
)
from birdfield.errors import EXIT_INPUT, EXIT_INTERRUPTED, BirdfieldError, InputError, UsageError
from birdfield.paths import MOST_THREADS

if TYPE_CHECKING:  # at run time each command imports what it needs: --help stays quick
    from birdfield.model.encoder import Encoder
    from birdfield.model.gallery import Gallery
    from birdfield.model.names import Names
    from birdfield.model.species import Species
    from birdfield.recognise.observation import Observation


class SentenceGroup(TyperGroup):
    """Commands whose errors are one sentence and an exit code, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except BirdfieldError as error:
            print_error(str(error))
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            print_error("interrupted")
            raise typer.Exit(EXIT_INTERRUPTED) from error
        except BrokenPipeError as error:
            # The reader went away; flushing what is left at exit would complain again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(EXIT_INPUT) from error
        except OSError as error:
            print_error(f"{error.filename or 'the system'}: {error.strerror or error}")
            raise typer.Exit(EXIT_INPUT) from error


# Plain help: Rich and its Markdown would take longer to import than all else.
app = typer.Typer(
    cls=SentenceGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Recognise birds by sight and by sound, offline.",
)
species_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="List, rename or remove a model's species."
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"birdfield {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
    log: Annotated[
        str, typer.Option(metavar="FORMAT", help="The form of the log: plain, json or systemd.")
    ] = "plain",
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    from birdfield.commands.log_format import set_up_log

    set_up_log(log, logging.INFO if verbose else logging.WARNING)


@app.command()
def identify(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILES_OR_FOLDERS", help="Photographs, recordings or folders."),
    ] = None,
    image: Annotated[
        Path | None, typer.Option(help="A photograph; with --audio, of the same bird.")
    ] = None,
    audio: Annotated[Path | None, typer.Option(help="A recording.")] = None,
    model: ModelOption = None,
    pooled: Annotated[
        bool, typer.Option("--pooled", help="One answer for a recording, not one a window.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="Write the answers to a CSV file too.")] = None,
    lang: LangOption = None,
    names: NamesOption = None,
    json_lines: JsonSwitch = False,
) -> None:
    """Name the bird in photographs and recordings.

    A photograph that is unknown as a whole is looked at in parts: the bird may be small in it.
    """
    from birdfield.model.open_model import open_model
    from birdfield.recognise.close_look import CloseLook
    from birdfield.recognise.identify import identify_file, identify_pair, list_files

    if not (files or image or audio):
        raise UsageError("nothing to identify; name files or folders, --image or --audio")
    check_output(csv)
    pair = (image, audio) if image and audio else None
    single = [path for path in (image, audio) if path and not pair]
    paths = [*list_files(files or []), *single]
    bundle, plain, gallery = open_model(model)
    encoder = CloseLook(plain, gallery)
    failed = False

    def answers() -> Iterator["Observation"]:
        nonlocal failed
        if pair:
            yield identify_pair(encoder, gallery, *pair)
        for path in paths:
            try:
                yield from identify_file(encoder, gallery, path, pooled)
            except InputError as error:
                print_error(str(error))
                failed = True

    show(answers(), bundle.model_id, json_lines, _names(gallery.species, lang, names), csv)
    if failed:
        raise typer.Exit(EXIT_INPUT)


def _names(species: "Sequence[Species]", lang: str | None, path: Path | None) -> "Names":
    """Find species' names: by flags, else the configuration's."""
    from birdfield.model.names import names_in
    from birdfield.settings.schema import find_config, load_config

    config = load_config(find_config(None))
    return names_in(species, lang or config["names.lang"], path or config["names.file"])


app.command()(watch.watch)


@app.command()
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
    plain, gallery, model_id = _open_for_evaluation(model)
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


def _open_for_evaluation(path: Path) -> tuple["Encoder", "Gallery", str]:
    from birdfield.model.open_model import open_model

    if (path / "run.json").exists():
        return (*workstation.open_run(path), path.name)
    bundle, encoder, gallery = open_model(path)
    return encoder, gallery, bundle.model_id


@app.command()
def bench(
    models: Annotated[
        list[Path],
        typer.Argument(metavar="MODEL", help="Bundles, or starter for the packaged one."),
    ],
    threads: Annotated[int, typer.Option(min=1, max=MOST_THREADS, help="Of each interpreter.")] = 1,
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
    show_figures(figures, to_table, json_file)


@app.command()
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


@app.command()
def enrol(
    model: ModelArgument,
    species: Annotated[str, typer.Argument(metavar='"Species name"')],
    files: Annotated[list[Path], typer.Argument(help="Photographs and recordings of it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report, and store nothing.")] = False,
) -> None:
    """Teach a model a species from a few files, without retraining."""
    from birdfield.commands.describe import enrolment_lines
    from birdfield.model.bundle import load_bundle
    from birdfield.model.species import Species, clean_name
    from birdfield.paths import resolve_model, thread_count
    from birdfield.recognise.enrol import enrol as enrol_species
    from birdfield.recognise.identify import list_files

    bundle = load_bundle(resolve_model(model))
    name = clean_name(species)
    reports = enrol_species(
        bundle, bundle.encoder(thread_count()), Species(name), list_files(files), dry_run
    )
    for line in enrolment_lines(reports, name, dry_run):
        print(line)


@species_app.callback()
def _species(ctx: typer.Context, model: ModelArgument) -> None:
    from birdfield.paths import resolve_model

    ctx.obj = resolve_model(model)


@species_app.command("list")
def list_species(
    ctx: typer.Context,
    lang: LangOption = None,
    names: NamesOption = None,
    json_lines: JsonSwitch = False,
) -> None:
    """List the species that a model answers with, in the order of their names."""
    from birdfield.commands.describe import species_rows
    from birdfield.model.names import sort_key
    from birdfield.model.open_model import open_model

    _, _, gallery = open_model(ctx.obj)
    known = _names(gallery.species, lang, names)
    for row in sorted(species_rows(gallery), key=lambda row: sort_key(known.common(row["label"]))):
        print(
            json.dumps(row, ensure_ascii=False)
            if json_lines
            else f"{known.full(row['label'])}  ({', '.join(row['senses'])})"
        )


@species_app.command()
def rename(ctx: typer.Context, old: str, new: str) -> None:
    """Give a species another name."""
    from birdfield.model.bundle import load_bundle
    from birdfield.model.species import clean_name
    from birdfield.recognise.enrol import rename_species

    rename_species(load_bundle(ctx.obj), clean_name(old), clean_name(new))


@species_app.command()
def remove(ctx: typer.Context, name: str) -> None:
    """Remove a species; a species of the bundle can come back by enrolling it again."""
    from birdfield.model.bundle import load_bundle
    from birdfield.model.species import clean_name
    from birdfield.recognise.enrol import remove_species

    remove_species(load_bundle(ctx.obj), clean_name(name))


app.add_typer(species_app, name="species")
app.add_typer(config.app, name="config")
app.add_typer(service.app, name="service")


for command in (
    workstation.train,
    workstation.export,
    journal.visits,
    journal.report,
    journal.export_visits,
    journal.rescore,
    doctor.doctor,
    doctor.devices,
    service.status,
):
    app.command()(command)


def main() -> None:
    """Run the command line."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name may be bytes that are no text: in JSON they come out as \udcXX, valid there.
        sys.stdout.reconfigure(errors="backslashreplace")
    app()
