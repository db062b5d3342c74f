"""The species index: which species a name means."""

import pytest

from birdfield.errors import AmbiguousNameError
from birdfield.model.species import Species
from birdfield.model.species_index import SpeciesIndex

BLUE = Species("Blue Jay", "Cyanocitta cristata", {"de": "Häher", "en-US": "Jay"})
GREEN = Species("Green Jay", "Cyanocorax yncas", {"de": "Häher"})
JAY = Species("Jay")


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Blue Jay", "Blue Jay"),
        ("blue-jay", "Blue Jay"),
        ("CYANOCORAX yncas", "Green Jay"),
        ("Jay", "Jay"),  # the exact label, though it is also a common name of another species
        ("Wren", None),
    ],
)
def test_a_species_is_found_by_any_of_its_names(name: str, label: str | None) -> None:
    found = SpeciesIndex([BLUE, GREEN, JAY]).find(name)
    assert (found.label if found else None) == label


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("häher", "Blue Jay (Cyanocitta cristata), Green Jay (Cyanocorax yncas)"),
        ("jay", "Blue Jay (Cyanocitta cristata), Jay; use the label or the scientific name"),
    ],
)
def test_a_name_of_two_species_is_refused(name: str, words: str) -> None:
    with pytest.raises(AmbiguousNameError) as refused:
        SpeciesIndex([BLUE, GREEN, JAY]).find(name)
    assert str(refused.value).startswith(f"{name!r} is a name of {words}")
