"""Bird names: the English and scientific names of the species of the packaged starter model."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

from birdfield.model.species import Species, fold, read_names

BIRD_NAMES = Path(__file__).with_name("bird_names.csv")
# The starter whose labels are names of folders, without hyphens and apostrophes.
STARTER_MODEL = "ae2528886ce44a35"


@cache
def bird_names() -> Mapping[str, Species]:
    """Return the species of the table by folded label."""
    return MappingProxyType(read_names(BIRD_NAMES))


def with_bird_names(species: Iterable[Species]) -> tuple[Species, ...]:
    """Return species with the spelling and the names of the table, where it has them."""
    known = bird_names()
    return tuple(_named(each, known.get(fold(each.label))) for each in species)


def _named(species: Species, known: Species | None) -> Species:
    if known is None:
        return species
    return replace(
        known,
        scientific=species.scientific or known.scientific,
        names={**known.names, **species.names},
    )
