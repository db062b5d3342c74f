"""Names: the names of species in a user's language, and their order."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from birdfield.errors import InputError, UsageError
from birdfield.model.species import Species, fold, read_names
from birdfield.model.species_index import SpeciesIndex


def sort_key(name: str) -> tuple[str, str]:
    """Return a key that sorts names as a dictionary does: Ä with A, b with B.

    It does not know the special order of single languages.
    """
    letters = "".join(
        each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each)
    )
    return letters.casefold(), unicodedata.normalize("NFC", name)


class Names:
    """Names of species by their labels."""

    def __init__(self, species: Iterable[Species] = (), lang: str | None = None) -> None:
        """Choose a language.

        Args:
            species: Species with unique labels.
            lang: A code such as "de" or "pt-BR"; None to use labels.

        Raises:
            UsageError: When no species has a name in the language.
        """
        known = tuple(species)
        self._species = {each.label: each for each in known}
        self._folded = {fold(each.label): each for each in reversed(known)}
        self._index = SpeciesIndex(known)
        self._lang = _find_language(known, lang) if lang else None
        shown = Counter(self._plain(each.label) for each in known)
        self._shared = frozenset(name for name, count in shown.items() if count > 1)

    def _known(self, label: str) -> Species | None:
        """Return the species with this label, in any spelling."""
        if label in self._species:
            return self._species[label]
        try:
            return self._folded.get(fold(label))
        except InputError:  # a label in a damaged row of a journal
            return None

    def _plain(self, label: str) -> str:
        """Return the name in the language, or else the label."""
        known = self._known(label)
        return known.names.get(self._lang or "", label) if known else label

    def common(self, label: str) -> str:
        """Return the name in the language, or else the label.

        A name that several species share is followed by the scientific name, or by the label.
        """
        name = self._plain(label)
        if name not in self._shared or name == label:
            return name
        return f"{name} ({self.scientific(label) or label})"

    def label(self, name: str) -> str:
        """Return the label of the species with this name, in any spelling; else the name.

        Raises:
            AmbiguousNameError: When several species have the name.
            InputError: When the name is not usable.
        """
        found = self._index.find(name)
        return found.label if found else name

    def scientific(self, label: str) -> str | None:
        """Return the scientific name, or None where it is unknown."""
        known = self._known(label)
        return known.scientific if known else None

    def full(self, label: str, scientific: str | None = None) -> str:
        """Return the name with the scientific name in brackets, as in `subtitle`."""
        subtitle = self.subtitle(label, scientific)
        return f"{self.common(label)} ({subtitle})" if subtitle else self.common(label)

    def subtitle(self, label: str, scientific: str | None = None) -> str | None:
        """Return the scientific name to show with the name.

        It is None where no language is chosen, and where the name has it already.

        Args:
            label: The species.
            scientific: Its scientific name from elsewhere, used where it is unknown here.
        """
        if self._lang is None or self.common(label) != self._plain(label):
            return None
        return self.scientific(label) or scientific

    def localise(self, entry: Mapping[str, object]) -> dict[str, object]:
        """Add the name and the scientific name to the JSON form of an answer or a visit."""
        label = entry["species"]
        if self._lang is None:
            return dict(entry)
        if not isinstance(label, str):
            return {**entry, "name": None}
        localised = {**entry, "name": self._plain(label)}
        if not entry.get("scientific"):
            localised["scientific"] = self.scientific(label)
        return localised


LABELS_ONLY = Names()  # names every species by its label


def _find_language(species: Iterable[Species], wanted: str) -> str:
    """Return the wanted language, or that without its region, as the species spell its code."""
    known = {lang for each in species for lang in each.names}
    for code in (wanted, wanted.partition("-")[0]):
        for lang in known:
            if lang.casefold() == code.casefold():
                return lang
    languages = f"one of {', '.join(sorted(known))}" if known else "a names CSV with such names"
    raise UsageError(f"no species has a name in the language {wanted!r}; expected {languages}")


def merge_names(species: Iterable[Species], path: Path | None) -> list[Species]:
    """Return species with the names in a CSV file, which replace their own; then its other species.

    Raises:
        InputError: When the file cannot be read.
    """
    from_file = read_names(path) if path else {}
    merged = []
    for own in species:
        more = from_file.get(fold(own.label), own)
        merged.append(
            replace(
                own,
                scientific=more.scientific or own.scientific,
                names={**own.names, **more.names},
            )
        )
    labels = {fold(own.label) for own in merged}
    return [*merged, *(more for folded, more in from_file.items() if folded not in labels)]


def add_names(species: Sequence[Species], path: Path | None) -> list[Species]:
    """Return species with the names in a CSV file, without its other species.

    Raises:
        InputError: When the file cannot be read.
    """
    return merge_names(species, path)[: len(species)]


def names_for(species: Iterable[Species], lang: str | None, path: Path | None) -> Names:
    """Return the names of species in a language.

    Args:
        species: The species.
        lang: The language; None to use labels.
        path: A CSV file whose names replace those of the species, or None. It is checked even
            without a language.

    Raises:
        InputError: When the file cannot be read.
        UsageError: When no species has a name in the language.
    """
    merged = merge_names(species, path)
    return Names(merged, lang) if merged or lang else LABELS_ONLY
