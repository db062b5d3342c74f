"""Species' names: finds them by the options --lang and --names, else by the configuration."""

from collections.abc import Sequence
from pathlib import Path

from birdfield.model.bird_names import bird_names
from birdfield.model.names import Names, names_for
from birdfield.model.open_model import open_model
from birdfield.model.species import Species
from birdfield.settings.configuration import find_config, load_config


def names_of_model(species: Sequence[Species], lang: str | None, path: Path | None) -> Names:
    """Return the names of a model's species.

    Raises:
        BirdfieldError: When a file cannot be read, or no species has a name in the language.
    """
    chosen = load_config(find_config(None)).settings.names
    return names_for(species, lang or chosen.lang, path or chosen.file)


def names_of_journal(lang: str | None, path: Path | None) -> Names:
    """Return the names of a journal's species: from a CSV file, else from the model.

    Without a language and a file, species are shown by their labels, and found by other names.

    Raises:
        BirdfieldError: When a file cannot be read, or no species has a name in the language.
    """
    # Imported here because `identify` uses this module, and has to start fast.
    from birdfield.settings.resolve import ResolvedSettings

    choice = ResolvedSettings(
        load_config(find_config(None)), {"names.lang": lang, "names.file": path}
    )
    chosen = choice.settings.names
    if chosen.lang is None and chosen.file is None:
        return Names(bird_names().values())
    return choice.names(() if chosen.file else open_model(choice.model).gallery.species)
