"""Species' names in a user's language, with the scientific ones beside them, and their order."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from birdfield.errors import UsageError
from birdfield.model.species import Species, fold, read_names


def sort_key(name: str) -> tuple[str, str]:
    """Return what orders names as people do: letters first, then marks and case.

    Ä comes with A, as a dictionary has it; the order of a language of its own is not known.
    """
    plain = "".join(
        each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each)
    )
    return plain.casefold(), unicodedata.normalize("NFC", name)


class Names:
    """How species are called, by label."""

    def __init__(self, species: Iterable[Species] = (), lang: str | None = None) -> None:
        """Take species that have names.

        Args:
            species: Each label once.
            lang: A code such as "de" or "pt-BR"; None for labels.

        Raises:
            UsageError: When none of them has a name in the language.
        """
        self._species = {each.label: each for each in species}
        self._lang = _language(self._species.values(), lang) if lang else None

    def common(self, label: str) -> str:
        """Return the name in the language, else the label."""
        known = self._species.get(label)
        return known.names.get(self._lang or "", label) if known else label

    def label(self, name: str) -> str:
        """Return the label of the species that is called so, in whatever case; else the name."""
        for label, species in self._species.items():
            if fold(name) in map(fold, (label, species.scientific or label, self.common(label))):
                return label
        return name

    def scientific(self, label: str) -> str | None:
        """Return the scientific name, or None."""
        known = self._species.get(label)
        return known.scientific if known else None

    def full(self, label: str, scientific: str | None = None) -> str:
        """Return the name with the scientific one beside it; the label where no language is set."""
        beside = self.beside(label, scientific)
        return f"{self.common(label)} ({beside})" if beside else self.common(label)

    def beside(self, label: str, scientific: str | None = None) -> str | None:
        """Return what stands beside the name: the scientific one, where a language is set.

        Args:
            label: The species.
            scientific: Its scientific name where these names have none, as a visit knows it.
        """
        return None if self._lang is None else self.scientific(label) or scientific

    def localise(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Add a species' name and scientific name to an answer's or a visit's JSON."""
        label = entry["species"]
        if self._lang is None:
            return dict(entry)
        named = {**entry, "name": None if label is None else self.common(label)}
        if label is not None and not entry.get("scientific"):
            named["scientific"] = self.scientific(label)
        return named


def _language(species: Iterable[Species], wanted: str) -> str:
    held = {lang for each in species for lang in each.names}
    for lang in (wanted, wanted.partition("-")[0]):
        for known in held:
            if known.casefold() == lang.casefold():
                return known
    raise UsageError(
        f"no species has a name in the language {wanted!r}; expected one of "
        f"{', '.join(sorted(held)) or 'a names CSV: --names FILE'}"
    )


def merge_names(species: Iterable[Species], path: Path | None) -> list[Species]:
    """Give species, in their order, the names of a CSV over their own; its others come after.

    Raises:
        InputError: When the CSV cannot be read.
    """
    given = read_names(path) if path else {}
    found = []
    for known in species:
        more = given.get(fold(known.label), known)
        found.append(
            replace(
                known,
                scientific=more.scientific or known.scientific,
                names={**known.names, **more.names},
            )
        )
    labels = {fold(known.label) for known in found}
    return [*found, *(more for folded, more in given.items() if folded not in labels)]


def add_names(species: Sequence[Species], path: Path | None) -> list[Species]:
    """Do as `merged`, of these species alone."""
    return merge_names(species, path)[: len(species)]


LABELS_ONLY = Names()  # by which no species has another name than its label


def names_for(species: Iterable[Species], lang: str | None, path: Path | None) -> Names:
    """Return how species are called in a language, by a CSV over their own names; else by label.

    The CSV is read and checked without a language too.

    Raises:
        BirdfieldError: When the CSV cannot be read, or none has a name in the language.
    """
    known = merge_names(species, path)  # also without a language: a wrong file is told of
    return Names(known, lang) if lang else LABELS_ONLY
