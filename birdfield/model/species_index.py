"""Species index: finds the one species that a user means, by any of its names."""

from collections.abc import Iterable, Iterator

from birdfield.errors import AmbiguousNameError, shorten_list
from birdfield.model.species import Species, fold


class SpeciesIndex:
    """The species of a model or of a list, by every name of each."""

    def __init__(self, species: Iterable[Species]) -> None:
        """Index species by their labels, scientific names and common names."""
        self._by_label: dict[str, Species] = {}
        self._by_scientific: dict[str, list[Species]] = {}
        self._by_name: dict[str, list[Species]] = {}
        for each in species:
            self._by_label.setdefault(each.label, each)
            if each.scientific:
                self._by_scientific.setdefault(fold(each.scientific), []).append(each)
            for name in {fold(name) for name in names_of(each)}:
                self._by_name.setdefault(name, []).append(each)

    @property
    def names(self) -> Iterable[str]:
        """Every name, folded."""
        return self._by_name.keys()

    def label_of(self, folded: str) -> str:
        """Return the label of the first species with one of `names`."""
        return self._by_name[folded][0].label

    def find(self, name: str) -> Species | None:
        """Return the species that a name means; None where there is none.

        A label that is spelled exactly, and a scientific name, mean one species even where other
        species have the same common name.

        Raises:
            AmbiguousNameError: If several species have the name.
            InputError: If the name is not usable, as `clean_name` raises it.
        """
        if name in self._by_label:
            return self._by_label[name]
        folded = fold(name)
        for found in (self._by_scientific.get(folded, ()), self._by_name.get(folded, ())):
            if len(found) == 1:
                return found[0]
        if found:
            raise AmbiguousNameError(
                f"{name!r} is a name of {shorten_list([*map(describe, found)])}; "
                "use the label or the scientific name of one of them"
            )
        return None


def names_of(species: Species) -> Iterator[str]:
    """Yield all names of a species: label, scientific name, common names."""
    yield species.label
    if species.scientific:
        yield species.scientific
    yield from species.names.values()


def describe(species: Species) -> str:
    """Return the label of a species with its scientific name in brackets, where it is known."""
    return f"{species.label} ({species.scientific})" if species.scientific else species.label
