"""Command `identify`: names the birds in files."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from birdfield.commands.console import check_output, print_error, show
from birdfield.commands.options import JsonSwitch, LangOption, ModelOption, NamesOption
from birdfield.errors import EXIT_INPUT, InputError, UsageError

if TYPE_CHECKING:  # at run time the command imports what it needs: --help stays quick
    from birdfield.recognise.observation import Observation


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
    from birdfield.commands.species_names import names_of_model
    from birdfield.model.open_model import open_model
    from birdfield.recognise.close_look import CloseLookEncoder
    from birdfield.recognise.identify import identify_file, identify_pair, list_files

    if not (files or image or audio):
        raise UsageError("nothing to identify; name files or folders, --image or --audio")
    check_output(csv)
    pair = (image, audio) if image and audio else None
    single = [path for path in (image, audio) if path and not pair]
    paths = [*list_files(files or []), *single]
    bundle, plain, gallery = open_model(model)
    encoder = CloseLookEncoder(plain, gallery)
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
