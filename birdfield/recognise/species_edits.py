"""Species edits: renames, removes and restores species of a model, in its store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from birdfield.errors import InputError, shorten_list
from birdfield.model.bundle import Bundle
from birdfield.model.species import Species, fold
from birdfield.model.species_index import SpeciesIndex
from birdfield.model.store import Enrolled, Store
from birdfield.model.store_file import edit_store


@dataclass(frozen=True)
class SpeciesEdit:
    """What an edit changed.

    Attributes:
        label: The species: of a renamed one, the former label.
        is_factory: Whether it is a species of the bundle.
        files: The number of its enrolled files.
    """

    label: str
    is_factory: bool
    files: int


def rename_species(bundle: Bundle, old: str, new: str) -> SpeciesEdit:
    """Change the label of a species.

    Raises:
        InputError: When there is no such species, or another one has the new label.
        AmbiguousNameError: When several species have the name.
    """
    with edit_store(bundle) as editor:
        store = editor.store
        known = current_species(bundle, store)
        old = _find(old, known)
        if new == old or fold(new) in [fold(entry.label) for entry in known if entry.label != old]:
            raise InputError(
                f"species {new!r} exists already; remove it first or choose another name"
            )
        factory = _factory_labels(bundle, store, old)
        entries = [
            replace(entry, species=replace(entry.species, label=new)) if label == old else entry
            for label, entry in store.enrolled.items()
        ]
        editor.store = replace(
            store,
            enrolled={entry.species.label: entry for entry in entries},
            renamed={**store.renamed, **dict.fromkeys(factory, new)},
        )
        return _edit(old, factory, store.enrolled.get(old))


def remove_species(bundle: Bundle, name: str) -> SpeciesEdit:
    """Remove a species with its samples, which the store keeps for `restore_species`.

    Raises:
        InputError: When there is no such species.
        AmbiguousNameError: When several species have the name.
    """
    with edit_store(bundle) as editor:
        store = editor.store
        label = _find(name, current_species(bundle, store))
        factory, own = _factory_labels(bundle, store, label), store.enrolled.get(label)
        editor.store = replace(
            store,
            enrolled={other: entry for other, entry in store.enrolled.items() if other != label},
            set_aside=_joined(store.set_aside, own),
            removed=store.removed.union(factory),
        )
        return _edit(label, factory, own)


def restore_species(bundle: Bundle, name: str) -> SpeciesEdit:
    """Undo the removal of a species, with the samples that were removed with it.

    If it was enrolled anew since, it has the old samples and the new ones.

    Raises:
        InputError: When no such species is removed, or another one has its label now.
        AmbiguousNameError: When several removed species have the name.
    """
    with edit_store(bundle) as editor:
        store = editor.store
        removed = removed_species(bundle, store)
        found = SpeciesIndex(removed).find(name)
        if found is None:
            raise _not_removed(name, removed, current_species(bundle, store))
        label, own = found.label, store.set_aside.get(found.label)
        factory = [each for each in store.removed if store.current_label(each) == label]
        if factory and fold(label) in map(fold, _factory_now(bundle, store)):
            raise InputError(
                f"another species is called {label!r} now; rename that one first, then restore"
            )
        editor.store = replace(
            store,
            enrolled=_joined(store.enrolled, own),
            set_aside={other: entry for other, entry in store.set_aside.items() if other != label},
            removed=store.removed.difference(factory),
        )
        return _edit(label, factory, own)


def current_species(bundle: Bundle, store: Store) -> list[Species]:
    """Return all species that the model has now."""
    factory = {
        label: replace(species, label=label)
        for species in bundle.factory_gallery().species
        if species.label not in store.removed
        for label in [store.current_label(species.label)]
    }
    return [*({label: entry.species for label, entry in store.enrolled.items()} | factory).values()]


def removed_species(bundle: Bundle, store: Store) -> list[Species]:
    """Return the species that a user removed, by the labels that they had."""
    factory = {
        label: replace(species, label=label)
        for species in bundle.factory_gallery().species
        if species.label in store.removed
        for label in [store.current_label(species.label)]
    }
    return [
        *({label: entry.species for label, entry in store.set_aside.items()} | factory).values()
    ]


def current_labels(bundle: Bundle, store: Store) -> list[str]:
    """Return the labels of all species that the model has now, sorted."""
    return sorted(species.label for species in current_species(bundle, store))


def _factory_labels(bundle: Bundle, store: Store, label: str) -> list[str]:
    """Return the factory labels of the species that is now called `label`: one or none."""
    return [
        factory
        for factory in bundle.factory_gallery().labels
        if factory not in store.removed and store.current_label(factory) == label
    ]


def _factory_now(bundle: Bundle, store: Store) -> list[str]:
    """Return the labels that species of the bundle have now, without removed ones."""
    labels = bundle.factory_gallery().labels
    return [store.current_label(label) for label in labels if label not in store.removed]


def _joined(entries: Mapping[str, Enrolled], own: Enrolled | None) -> Mapping[str, Enrolled]:
    """Return entries with the samples of one more."""
    if own is None:
        return entries
    label = own.species.label
    return {**entries, label: entries[label].joined_with(own) if label in entries else own}


def _edit(label: str, factory: Sequence[str], own: Enrolled | None) -> SpeciesEdit:
    return SpeciesEdit(label, bool(factory), len(own.hashes) if own else 0)


def _find(name: str, species: Sequence[Species]) -> str:
    """Return the label of the species with this name, in any spelling."""
    found = SpeciesIndex(species).find(name)
    if found is None:
        labels = sorted(entry.label for entry in species)
        raise InputError(
            f"no species {name!r}; the model has {len(labels)}: {shorten_list(labels)}"
        )
    return found.label


def _not_removed(name: str, removed: Sequence[Species], current: Sequence[Species]) -> InputError:
    if SpeciesIndex(current).find(name):
        return InputError(f"species {name!r} is not removed; the model has it")
    labels = sorted(species.label for species in removed)
    return InputError(
        f"no removed species {name!r}; "
        + (f"removed are {shorten_list(labels)}" if labels else "none is removed")
    )
