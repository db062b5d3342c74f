"""The command line. Answers go to stdout; logs, progress and complaints go to stderr."""

import io
import json
import logging
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from birdfield import __version__, config_command, doctor_command, service_command, station
from birdfield.errors import EXIT_INPUT, EXIT_INTERRUPTED, BirdfieldError, InputError, UsageError

if TYPE_CHECKING:  # at run time each command imports what it needs: --help stays quick
    from birdfield.bundle import Bundle
    from birdfield.encoder import BundleEncoder, Encoder
    from birdfield.gallery import Gallery
    from birdfield.names import Names
    from birdfield.observation import Observation
    from birdfield.species import Species


class SentenceGroup(TyperGroup):
    """Commands whose errors are one sentence and an exit code, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except BirdfieldError as error:
            complain(str(error))
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            complain("interrupted")
            raise typer.Exit(EXIT_INTERRUPTED) from error
        except BrokenPipeError as error:
            # The reader went away; flushing what is left at exit would complain again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(EXIT_INPUT) from error
        except OSError as error:
            complain(f"{error.filename or 'the system'}: {error.strerror or error}")
            raise typer.Exit(EXIT_INPUT) from error


# Plain help: Rich and its Markdown would take longer to import than all else.
app = typer.Typer(cls=SentenceGroup, no_args_is_help=True, pretty_exceptions_enable=False,
                  rich_markup_mode=None,
                  context_settings={"help_option_names": ["-h", "--help"]},
                  help="Recognise birds by sight and by sound, offline.")
species_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None,
                          help="List, rename or remove a model's species.")

ModelOption = Annotated[Path | None, typer.Option(
    "--model", help="A bundle NAME.birdfield; else BIRDFIELD_MODEL, else the packaged starter.")]
ModelArgument = Annotated[Path, typer.Argument(
    metavar="MODEL", help="A bundle NAME.birdfield, or starter for the packaged one.")]
JsonSwitch = Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")]


def complain(sentence: str) -> None:
    """Write a sentence to stderr."""
    print(f"birdfield: {sentence}", file=sys.stderr)


def progress(what: str, done: int, total: int) -> None:
    """Show how far long work is, on a terminal only."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{what}: {done}/{total}", end=end, file=sys.stderr, flush=True)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"birdfield {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
    log: Annotated[str, typer.Option(metavar="FORMAT", help="Of the log: plain, json, or "
                                     "systemd.")] = "plain",
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True,
                                          help="Print the version.")] = False,
) -> None:
    from birdfield.log_format import set_up_log

    set_up_log(log, logging.INFO if verbose else logging.WARNING)


def open_model(path: Path | None) -> tuple["Bundle", "BundleEncoder", "Gallery"]:
    """Open a bundle with the user's own species."""
    from birdfield.bundle import load_bundle
    from birdfield.config import resolve_model, thread_count
    from birdfield.store import load_store, merged_gallery

    bundle = load_bundle(resolve_model(path))
    encoder = bundle.encoder(thread_count())
    return bundle, encoder, merged_gallery(bundle, load_store(bundle), encoder.fuse)


def names_in(lang: str | None, path: Path | None, species: Iterable["Species"]) -> "Names":
    """Return how species are called in a language, by a CSV over the model's own names."""
    from birdfield.names import LABELS, Names, merged

    return Names(merged(species, path), lang) if lang else LABELS


@app.command()
def identify(
    files: Annotated[list[Path] | None, typer.Argument(
        metavar="[FILES_OR_FOLDERS]...", help="Photographs, recordings or folders.")] = None,
    image: Annotated[Path | None, typer.Option(help="A photograph; with --audio, of the same "
                                                    "bird.")] = None,
    audio: Annotated[Path | None, typer.Option(help="A recording.")] = None,
    model: ModelOption = None,
    pooled: Annotated[bool, typer.Option("--pooled", help="One answer for a recording, not one "
                                                          "a window.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Write the answers to a CSV file too.")] = None,
    lang: station.LangOption = None,
    names: station.NamesOption = None,
    json_lines: JsonSwitch = False,
) -> None:
    """Name the bird in photographs and recordings."""
    from birdfield.identify import identify_file, identify_pair, list_files

    if not (files or image or audio):
        raise UsageError("nothing to identify; name files or folders, --image or --audio")
    pair = (image, audio) if image and audio else None
    single = [path for path in (image, audio) if path and not pair]
    paths = [*list_files(files or []), *single]
    bundle, encoder, gallery = open_model(model)
    failed = False

    def answers() -> Iterator["Observation"]:
        nonlocal failed
        if pair:
            yield identify_pair(encoder, gallery, *pair)
        for path in paths:
            try:
                yield from identify_file(encoder, gallery, path, pooled)
            except InputError as error:
                complain(str(error))
                failed = True

    show(answers(), bundle.model_id, json_lines, names_in(lang, names, gallery.species), csv)
    if failed:
        raise typer.Exit(EXIT_INPUT)


def show(observations: Iterable["Observation"], model_id: str, json_lines: bool, names: "Names",
         csv: Path | None = None) -> None:
    """Print observations as they come; a CSV file is written when all are there."""
    from birdfield.observation import to_csv, to_json, to_line

    rows = []
    for observation in observations:
        entry = to_json(observation, model_id)
        print(json.dumps(names.told(entry), ensure_ascii=False) if json_lines else
              to_line(entry, names), flush=True)
        if csv:
            rows.append(entry)
    if csv:
        from birdfield.atomic import write_file

        write_file(csv, to_csv(rows).encode(errors="backslashreplace"))


@app.command()
def watch(
    model: ModelOption = None,
    camera: Annotated[str | None, typer.Option(help="Device number, video file, RTSP or MJPEG "
                                               "URL, picamera2 or none; else 0.")] = None,
    microphone: Annotated[str | None, typer.Option(help="Device name or number, sound file, RTSP "
                                                   "or HTTP URL, or none; else default.")] = None,
    crop: Annotated[str | None, typer.Option(metavar="X,Y,W,H", help="The part of the picture "
                                             "to look at, in pixels.")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Files as quick as they can be "
                                                      "processed.")] = False,
    json_lines: JsonSwitch = False,
    config: station.ConfigOption = None,
    lang: station.LangOption = None,
    names: station.NamesOption = None,
    blank: station.BlankOption = None,
    journal: station.JournalOption = None,
    gap: station.GapOption = None,
    quiet: station.QuietOption = None,
    location: station.LocationOption = None,
    keep_voices: station.KeepVoicesOption = False,
    keep_best: station.KeepBestOption = None,
    keep_days: station.KeepDaysOption = None,
    keep_gb: station.KeepGbOption = None,
    keep_free_gb: station.KeepFreeOption = None,
) -> None:
    """Watch a camera and listen to a microphone, or to files, and name what comes."""
    from birdfield.camera import open_camera, parse_crop
    from birdfield.microphone import open_microphone
    from birdfield.station_config import find_config, load_config
    from birdfield.station_setup import Choice
    from birdfield.watch import Watch

    # Senses that come and go are what a person who watches wants to be told.
    logging.getLogger("birdfield").setLevel(logging.INFO)
    choice = Choice(load_config(find_config(config)), {
        "watch.model": model, "watch.camera": camera, "watch.microphone": microphone,
        "watch.crop": crop, "watch.blank": blank, "journal.folder": journal, "journal.gap_s": gap,
        "quiet.hours": quiet, "place.location": location, "journal.keep_voices": keep_voices,
        "journal.keep_best": keep_best, "journal.keep_days": keep_days, "journal.keep_gb": keep_gb,
        "journal.keep_free_gb": keep_free_gb, "names.lang": lang, "names.file": names})
    box = parse_crop(choice["watch.crop"]) if choice["watch.crop"] else None
    settings = station.settings_of(choice)
    folder = choice["journal.folder"]
    bundle, encoder, gallery = open_model(choice.model)
    known = choice.names(gallery.species)
    with ExitStack() as closing, choice.followed(gallery.species) as rules:
        wait_s = choice.latency.frames_wait_s
        eye = station.blanked(open_camera(choice["watch.camera"], box, wait_s),
                              choice["watch.blank"], box)
        ear = open_microphone(choice["watch.microphone"], encoder.audio_spec.rate_hz)
        viewing = station.can_view(json_lines)
        meter = station.metered(ear, encoder) if viewing else None
        ear = meter or ear
        for source in (eye, ear):
            if source is not None:
                closing.callback(source.close)
        scene = Watch(encoder, gallery, eye, ear, fast, rules, choice.latency)
        encoder.load(eye is not None, ear is not None)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: scene.stop())
        recorder = (station.open_recorder(folder, settings, bundle.model_id, encoder, gallery,
                                          eye, ear, rules) if folder else None)
        heart = station.open_heart(bundle.model_id, eye, ear, folder)
        if viewing:
            station.show_view(scene, bundle.folder.name, meter, recorder, heart, folder)
        else:
            show(station.recorded(scene, recorder, heart), bundle.model_id, json_lines, known)


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_MODEL",
                                          help="A bundle, or a training run.")],
    image_dir: Annotated[Path, typer.Argument(metavar="IMAGE_DIR")],
    audio_dir: Annotated[Path, typer.Argument(metavar="AUDIO_DIR")],
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the "
                                                   "figures; - is stdout.")] = None,
    noise: Annotated[Path | None, typer.Option(metavar="DIR", help="Sounds <kind>__<n>.wav; "
                                               "adds noise and damages photographs.")] = None,
    unknown: Annotated[tuple[Path, Path] | None, typer.Option(
        metavar="IMAGE_DIR AUDIO_DIR", help="Species that the model does not know.")] = None,
    no_bird: Annotated[tuple[Path, Path] | None, typer.Option(
        metavar="IMAGE_DIR AUDIO_DIR", help="Photographs and recordings of no bird.")] = None,
    report_dir: Annotated[Path | None, typer.Option("--report", metavar="DIR", help="Write a page "
                          "to look at, DIR/index.html, and the figures.")] = None,
) -> None:
    """Measure a model on photographs and recordings that it was not trained on."""
    from birdfield.evaluate import late_fusion, report, score, to_table
    from birdfield.evaluate_files import embed_dataset, embed_folders
    from birdfield.evaluate_noise import find_noises, measure_noise
    from birdfield.evaluate_unknown import (
        measure_no_bird,
        measure_unknown,
        pair_no_bird,
        pair_unknown,
        scan_no_bird,
        scan_unknown,
        separate,
    )

    if report_dir:
        from birdfield.report import check_report, gather, write_report

        check_report(report_dir)
    encoder, gallery, model_id = _open_for_evaluation(model)
    # All folders are looked into before the first of them is embedded.
    strangers = scan_unknown(gallery.labels, *unknown) if unknown else None
    nobody = scan_no_bird(*no_bird) if no_bird else None
    noises = find_noises(noise) if noise else None
    files = embed_folders(encoder, gallery.labels, image_dir, audio_dir, progress)
    problems = [*files.problems, *(noises.problems if noises else ())]
    scored = score(encoder.fuse, gallery, files.images, files.audio)
    figures = report(scored, model_id, len(gallery.species),
                     late_fusion(scored, gallery.calibration))
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
        figures["no_bird"] = measure_no_bird(encoder.fuse, scored, found)
        separations["no_bird"] = separate(encoder.fuse, scored, found, pair_no_bird(found))
        problems += found.problems
    for problem in problems:
        complain(f"skipped {problem}")
    text = json.dumps(figures, indent=1)
    print(text if json_file == Path("-") else to_table(figures))
    if json_file and json_file != Path("-"):
        from birdfield.atomic import write_file

        write_file(json_file, text.encode())
    if report_dir:
        write_report(report_dir, gather(encoder.fuse, gallery, files, scored, figures, model,
                                        sys.argv, separations))


def _open_for_evaluation(path: Path) -> tuple["Encoder", "Gallery", str]:
    if not (path / "run.json").exists():
        bundle, encoder, gallery = open_model(path)
        return encoder, gallery, bundle.model_id
    from birdfield.workstation import open_run

    return (*open_run(path), path.name)


@app.command()
def bench(
    models: Annotated[list[Path], typer.Argument(metavar="MODEL...", help="Bundles, or starter "
                                                 "for the packaged one.")],
    threads: Annotated[int, typer.Option(min=1, help="Of each interpreter.")] = 1,
    against_birdnet: Annotated[bool, typer.Option("--against-birdnet", help="Run BirdNET beside "
                               "them; needs birdfield[birdnet].")] = False,
    gallery: Annotated[int | None, typer.Option(metavar="N", help="Time the match among up to N "
                                                "species of 4 prototypes.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the "
                                                   "figures; - is stdout.")] = None,
) -> None:
    """Time models on this machine, side by side: stages, start, memory, processor."""
    from birdfield.bench_command import measure
    from birdfield.bench_table import to_table

    opened = [(path, *open_model(path)) for path in models]
    figures = measure([(path, bundle, known) for path, bundle, _, known in opened], threads,
                      against_birdnet, gallery, progress)
    text = json.dumps(figures, indent=1)
    print(text if json_file == Path("-") else to_table(figures))
    if json_file and json_file != Path("-"):
        from birdfield.atomic import write_file

        write_file(json_file, text.encode())


@app.command()
def info(model: Annotated[Path | None, typer.Argument(metavar="[MODEL]", help="A bundle.")] = None,
         json_lines: JsonSwitch = False) -> None:
    """Tell what a model is: species, accuracy, parts, licences."""
    from birdfield.describe import describe, to_text

    bundle, _, gallery = open_model(model)
    entry = describe(bundle, gallery)
    print(json.dumps(entry, ensure_ascii=False) if json_lines else to_text(entry))


@app.command()
def enrol(
    model: ModelArgument,
    species: Annotated[str, typer.Argument(metavar="\"Species name\"")],
    files: Annotated[list[Path], typer.Argument(help="Photographs and recordings of it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report, and store nothing.")] = False,
) -> None:
    """Teach a model a species from a few files, without retraining."""
    from birdfield.bundle import load_bundle
    from birdfield.config import resolve_model, thread_count
    from birdfield.describe import enrolment_lines
    from birdfield.enrol import enrol as enrol_species
    from birdfield.identify import list_files
    from birdfield.species import Species, clean_name

    bundle = load_bundle(resolve_model(model))
    name = clean_name(species)
    reports = enrol_species(bundle, bundle.encoder(thread_count()), Species(name),
                            list_files(files), dry_run)
    for line in enrolment_lines(reports, name, dry_run):
        print(line)


@species_app.callback()
def _species(ctx: typer.Context, model: ModelArgument) -> None:
    from birdfield.config import resolve_model

    ctx.obj = resolve_model(model)


@species_app.command("list")
def list_species(ctx: typer.Context, lang: station.LangOption = None,
                 names: station.NamesOption = None, json_lines: JsonSwitch = False) -> None:
    """List the species that a model answers with, in the order of their names."""
    from birdfield.describe import species_rows
    from birdfield.names import sort_key

    _, _, gallery = open_model(ctx.obj)
    known = names_in(lang, names, gallery.species)
    for row in sorted(species_rows(gallery), key=lambda row: sort_key(known.common(row["label"]))):
        print(json.dumps(row, ensure_ascii=False) if json_lines else
              f"{known.full(row['label'])}  ({', '.join(row['senses'])})")


@species_app.command()
def rename(ctx: typer.Context, old: str, new: str) -> None:
    """Give a species another name."""
    from birdfield.bundle import load_bundle
    from birdfield.enrol import rename_species
    from birdfield.species import clean_name

    rename_species(load_bundle(ctx.obj), clean_name(old), clean_name(new))


@species_app.command()
def remove(ctx: typer.Context, name: str) -> None:
    """Remove a species; a species of the bundle can come back by enrolling it again."""
    from birdfield.bundle import load_bundle
    from birdfield.enrol import remove_species
    from birdfield.species import clean_name

    remove_species(load_bundle(ctx.obj), clean_name(name))


app.add_typer(species_app, name="species")
app.add_typer(config_command.app, name="config")
app.add_typer(service_command.app, name="service")


def _add_workstation_commands() -> None:
    from birdfield import workstation

    app.command()(workstation.train)
    app.command()(workstation.export)


_add_workstation_commands()
for command in (station.visits, station.report, station.export_visits, station.rescore,
                doctor_command.doctor, doctor_command.devices, service_command.status):
    app.command()(command)


def main() -> None:
    """Run the command line."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name may be bytes that are no text: in JSON they come out as \udcXX, valid there.
        sys.stdout.reconfigure(errors="backslashreplace")
    app()
