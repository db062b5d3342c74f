"""Command `identify`: names the birds in files."""

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
    csv: CsvOption = None,
    lang: LangOption = None,
    names: NamesOption = None,
    timezone: TimezoneOption = None,
    json_lines: JsonSwitch = False,
) -> None:
    """Name the birds in photographs and recordings.

    If a whole photograph is unknown, its parts are also examined: the bird may be small.
    """
    from birdfield.commands.species_names import names_of_model
    from birdfield.model.open_model import open_model
    from birdfield.recognise.close_look import CloseLookEncoder
    from birdfield.recognise.identify import identify_file, identify_pair, list_files

    if not (files or image or audio):
        raise UsageError("nothing to identify; name files or folders, or use --image or --audio")
    check_output(csv)
    if timezone is not None:
        from birdfield.commands.local_time import use_timezone

        use_timezone(timezone)
    pair = (image, audio) if image and audio else None
    alone = [path for path in (image, audio) if path and not pair]
    paths = [*list_files(files or []), *alone]
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

    show(answers(), bundle.model_id, json_lines, names_of_model(gallery.species, lang, names), csv)
    if failed:
        raise typer.Exit(EXIT_INPUT)
