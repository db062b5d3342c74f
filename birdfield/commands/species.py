"""Commands `species` and `enrol`: list, rename, remove and add a model's species."""

import json
from pathlib import Path
from typing import Annotated

import typer

from birdfield.commands.options import JsonSwitch, LangOption, ModelArgument, NamesOption

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="List, rename or remove a model's species."
)


@app.callback()
def _species(ctx: typer.Context, model: ModelArgument) -> None:
    from birdfield.paths import resolve_model

    ctx.obj = resolve_model(model)


@app.command("list")
def list_species(
    ctx: typer.Context,
    lang: LangOption = None,
    names: NamesOption = None,
    json_lines: JsonSwitch = False,
) -> None:
    """List the species of a model in alphabetical order."""
    from birdfield.commands.describe import species_rows
    from birdfield.commands.species_names import names_of_model
    from birdfield.model.names import sort_key
    from birdfield.model.open_model import open_model

    gallery = open_model(ctx.obj).gallery
    known = names_of_model(gallery.species, lang, names)
    rows = species_rows(gallery)
    for row in sorted(rows, key=lambda row: sort_key(known.common(row.species.label))):
        print(
            json.dumps(row.to_json(), ensure_ascii=False)
            if json_lines
            else f"{known.full(row.species.label)}  ({', '.join(row.senses)})"
        )


@app.command()
def rename(
    ctx: typer.Context,
    old: Annotated[str, typer.Argument(metavar="OLD", help="The present name.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The new name.")],
) -> None:
    """Rename a species."""
    from birdfield.model.bundle import load_bundle
    from birdfield.model.species import clean_name
    from birdfield.recognise.enrol import rename_species

    rename_species(load_bundle(ctx.obj), clean_name(old), clean_name(new))


@app.command()
def remove(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the species.")],
) -> None:
    """Remove a species.

    To restore a species of the bundle, enrol it again.
    """
    from birdfield.model.bundle import load_bundle
    from birdfield.model.species import clean_name
    from birdfield.recognise.enrol import remove_species

    remove_species(load_bundle(ctx.obj), clean_name(name))


def enrol(
    model: ModelArgument,
    species: Annotated[
        str, typer.Argument(metavar='"SPECIES NAME"', help="The name of the species.")
    ],
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILES", help="Photographs and recordings of the species."),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the files, but store nothing.")
    ] = False,
) -> None:
    """Add a species to a model from a few files.

    The model is not trained again. To undo, remove the species.
    """
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
