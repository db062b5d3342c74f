"""Named species: finds the species that a configuration and its checklist name."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from birdfield.errors import AmbiguousNameError, ConfigError, InputError
from birdfield.model.species import Species, fold
from birdfield.model.species_index import SpeciesIndex
from birdfield.settings.checklist import Checklist
from birdfield.settings.configuration import StationConfig

MAX_PROBLEMS = 5  # sentences of an error

Value = TypeVar("Value")


class NamedSpecies:
    """The labels of named species, and what is wrong with the names."""

    def __init__(self, config: StationConfig, species: Sequence[Species]) -> None:
        """Collect the names of a model's species.

        Args:
            config: The configuration.
            species: The species of the model, with the names that the user gave them.
        """
        self._config = config
        self._index = SpeciesIndex(species)
        self._problems: list[str] = []

    def check(self) -> None:
        """Check all names that were looked up.

        Raises:
            ConfigError: If the model does not know one of them, or several species have it.
        """
        if self._problems:
            more = len(self._problems) - MAX_PROBLEMS
            raise ConfigError(
                "; ".join(self._problems[:MAX_PROBLEMS]) + (f"; and {more} more" * (more > 0))
            )

    def of(self, key: str, names: Iterable[str]) -> frozenset[str]:
        """Return the labels of a list."""
        where = self._config.where("species", key)
        return frozenset(self._label(name, where) for name in names)

    def keyed(self, key: str, values: Mapping[str, Value]) -> dict[str, Value]:
        """Return a table by label."""
        found: dict[str, Value] = {}
        for name, value in values.items():
            where = self._config.where("species", key, name)
            label = self._label(name, where)
            if label in found:
                self._problems.append(f"{where}: {label} has a value already; remove one of them")
            found[label] = value
        return found

    def weeks(self, checklist: Checklist) -> dict[str, frozenset[int]]:
        """Return the weeks of a checklist by label."""
        weeks: dict[str, frozenset[int]] = {}
        for entry in checklist.entries:
            label = self._label(entry.name, entry.where)
            weeks[label] = weeks.get(label, frozenset()) | entry.weeks
        return weeks

    def _label(self, name: str, where: str) -> str:
        try:
            found = self._index.find(name)
        except (AmbiguousNameError, InputError) as error:
            self._problems.append(f"{where}: {error}")
        else:
            if found:
                return found.label
            self._problems.append(
                f"{where} names {name!r}, which the model does not know{self._suggestion(name)}"
            )
        return name

    def _suggestion(self, name: str) -> str:
        close = difflib.get_close_matches(fold(name), self._index.names, 1)
        return f"; did you mean {self._index.label_of(close[0])}?" if close else ""
