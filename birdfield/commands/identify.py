"""Command `identify`: names the birds in files."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from birdfield.commands.console import check_output, print_error, show
from birdfield.commands.options import (
    CsvOption,
    JsonSwitch,
    LangOption,
    ModelOption,
    NamesOption,
    TimezoneOption,
)
from birdfield.errors import EXIT_INPUT, InputError, UsageError

if TYPE_CHECKING:  # the command itself imports what it needs, so that --help stays fast
    from birdfield.recognise.observation import Observation


def identify(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILES_OR_FOLDERS", help="Photographs, recordings, or folders."),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A photograph; with --audio, of the same bird."),
    ] = None,
    audio: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A recording; with --image, of the same bird."),
    ] = None,
    model: ModelOption = None,
    pooled: Annotated[
        bool, typer.Option("--pooled", help="One answer for each recording, not for each window.")
    ] = False,
    min_score: Annotated[
        float,
        typer.Option(
            min=0, max=1, metavar="SCORE", help="Answer unknown below this score, 0 to 1."
        ),
    ] = 0.0,
    summary: Annotated[
        bool, typer.Option("--summary", help="Print a line for each species, not each answer.")
    ] = False,
    csv: CsvOption = None,
    raven: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write a Raven selection table of a recording."),
    ] = None,
    audacity: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write Audacity labels of a recording."),
    ] = None,
    lang: LangOption = None,
    names: NamesOption = None,
    timezone: TimezoneOption = None,
    json_lines: JsonSwitch = False,
) -> None:
    """Name the birds in photographs and recordings.

    If a whole photograph is unknown, its parts are also examined: the bird may be small.
    """
    from birdfield.atomic import write_file
    from birdfield.commands.species_names import names_of_model
    from birdfield.model.open_model import open_model
    from birdfield.recognise.close_look import CloseLookEncoder
    from birdfield.recognise.identify import identify_file, identify_pair, list_files
    from birdfield.recognise.tally import Tally, to_audacity, to_raven, with_least_score

    if not (files or image or audio):
        raise UsageError("nothing to identify; name files or folders, or use --image or --audio")
    if summary and (json_lines or csv):
        raise UsageError("--summary prints no single answers; leave out --json and --csv")
    for output in (csv, raven, audacity):
        check_output(output)
    if timezone is not None:
        from birdfield.commands.local_time import use_timezone

        use_timezone(timezone)
    pair = (image, audio) if image and audio else None
    alone = [path for path in (image, audio) if path and not pair]
    paths = [*list_files(files or []), *alone]
    if (raven or audacity) and len(paths) > 1:
        raise UsageError(f"labels are of one recording; got {len(paths)} files; name one of them")
    bundle, whole_pictures, gallery = open_model(model)
    encoder = CloseLookEncoder(whole_pictures, gallery)
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

    tally, shown = Tally(), names_of_model(gallery.species, lang, names)
    found = tally.follow(with_least_score(answers(), min_score))
    if summary:
        deque(found, maxlen=0)
        print(*tally.summary(shown), sep="\n")
    else:
        show(found, bundle.model_id, json_lines, shown, csv)
    if raven:
        write_file(raven, to_raven(tally.labels, encoder.audio_spec.rate_hz / 2))
    if audacity:
        write_file(audacity, to_audacity(tally.labels))
    if failed:
        raise typer.Exit(EXIT_INPUT)
