"""Species' names in the language of an option, else of the configuration."""

from collections.abc import Sequence
from pathlib import Path

from birdfield.model.names import LABELS, Names, names_in
from birdfield.model.open_model import open_model
from birdfield.model.species import Species
from birdfield.settings.schema import find_config, load_config


def names_of_model(species: Sequence[Species], lang: str | None, path: Path | None) -> Names:
    """Find species' names: by flags, else the configuration's."""
    config = load_config(find_config(None))
    return names_in(species, lang or config["names.lang"], path or config["names.file"])


def names_of_journal(lang: str | None, path: Path | None) -> Names:
    """Find species' names: by flags, else the configuration's; the model's for want of a CSV.

    Raises:
        BirdfieldError: When a file cannot be read, or there is no such language.
    """
    from birdfield.settings.resolve import ResolvedSettings  # much, and `identify` needs none of it

    choice = ResolvedSettings(
        load_config(find_config(None)), {"names.lang": lang, "names.file": path}
    )
    if choice["names.lang"] is None and choice["names.file"] is None:
        return LABELS
    return choice.names(() if choice["names.file"] else open_model(choice.model)[2].species)
