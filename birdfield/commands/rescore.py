"""Command `rescore`: updates the species of past visits."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from birdfield.commands.console import print_error
from birdfield.commands.options import JournalArgument


def rescore(
    journal: JournalArgument,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="The bundle that wrote the journal; default: as for watch.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the changes only.")] = False,
) -> None:
    """Update past visits after you changed the species.

    Run it after enrol, species rename or species remove. A visit keeps its species if the
    configuration excludes the new one, or its score is below the threshold.
    """
    from birdfield.journal.entries import EventEntry
    from birdfield.journal.opening import open_journal, reading
    from birdfield.model.open_model import open_model
    from birdfield.model.store_file import load_store
    from birdfield.settings.configuration import find_config, load_config
    from birdfield.settings.resolve import ResolvedSettings
    from birdfield.settings.rules import LiveRules
    from birdfield.watch.recogniser import Recogniser
    from birdfield.watch.rescore import check_models
    from birdfield.watch.rescore import rescore as rescore_visits

    choice = ResolvedSettings(load_config(find_config(None)), {"watch.model": model})
    bundle, encoder, gallery = open_model(choice.model)
    rules = LiveRules(choice.rules(choice.config, gallery.species))
    recogniser = Recogniser(encoder, gallery, bundle.model_id, rules)
    renamed = load_store(bundle).renamed
    count = 0
    with reading(journal) as opened:
        for other, number in check_models(opened, bundle.model_id):
            print_error(
                f"skipped {number} visits of model {other}; the bundle is model {bundle.model_id}"
            )
    with reading(journal) if dry_run else closing(open_journal(journal)) as opened:
        for each in rescore_visits(opened, recogniser, renamed, dry_run):
            count += 1
            none = "unknown" if each.first else "undecided"
            print(
                f"visit {each.visit}: {each.before or none} -> {each.after or none} "
                f"{each.score:.2f}"
            )
        if count and not dry_run:
            detail = f"{count} visits have another species now"
            opened.add_events([EventEntry(datetime.now(UTC), "rescored", detail)])
    print(f"{count} visits {'would have' if dry_run else 'have'} another species")
