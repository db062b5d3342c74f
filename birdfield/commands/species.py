"""Commands `species` and `enrol`: list, rename, remove and add a model's species."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from birdfield.commands.options import JsonSwitch, LangOption, ModelArgument, NamesOption

if TYPE_CHECKING:
    from birdfield.recognise.species_edits import SpeciesEdit

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="List, rename, remove or restore a model's species.",
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
    from birdfield.recognise.species_edits import rename_species

    new = clean_name(new)
    edit = rename_species(load_bundle(ctx.obj), clean_name(old), new)
    print(f"{edit.label}: renamed to {new}{_files(edit)}")


@app.command()
def remove(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the species.")],
) -> None:
    """Remove a species; restore undoes it."""
    from birdfield.model.bundle import load_bundle
    from birdfield.model.species import clean_name
    from birdfield.recognise.species_edits import remove_species

    edit = remove_species(load_bundle(ctx.obj), clean_name(name))
    print(f"{edit.label}: removed{_files(edit)}; to undo, restore it: species restore")


@app.command()
def restore(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the species.")],
) -> None:
    """Restore a removed species, with the files that were enrolled for it."""
    from birdfield.model.bundle import load_bundle
    from birdfield.model.species import clean_name
    from birdfield.recognise.species_edits import restore_species

    edit = restore_species(load_bundle(ctx.obj), clean_name(name))
    print(f"{edit.label}: restored{_files(edit)}")


def _files(edit: "SpeciesEdit") -> str:
    """Return what a species consists of, for the line of an edit."""
    enrolled = f"{edit.files} enrolled file{'' if edit.files == 1 else 's'}"
    parts = ["its prototypes in the model"] * edit.is_factory + [enrolled] * bool(edit.files)
    return f", with {' and '.join(parts)}" if parts else ""


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

    The model is not trained again. To undo, remove the species. A species of the model that you
    removed is restored.
    """
    from birdfield.commands.describe import enrolment_lines
    from birdfield.model.bundle import load_bundle
    from birdfield.model.species import Species, clean_name
    from birdfield.model.store_file import load_store
    from birdfield.paths import resolve_model, thread_count
    from birdfield.recognise.enrol import enrol as enrol_species
    from birdfield.recognise.enrol import known_as
    from birdfield.recognise.identify import list_files

    bundle = load_bundle(resolve_model(model))
    before = load_store(bundle)
    after, known = known_as(bundle, before, Species(clean_name(species)))
    name = known.label
    reports = enrol_species(
        bundle, bundle.encoder(thread_count()), known, list_files(files), dry_run
    )
    for line in enrolment_lines(reports, name, dry_run):
        print(line)
    if after is not before and not dry_run:
        print(f"{name}: restored, with its prototypes in the model")
