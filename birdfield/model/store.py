"""Store: the species that a user enrolled, renamed or removed, and the format of their file."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from birdfield.arrays import dump_arrays, load_arrays
from birdfield.errors import InputError
from birdfield.model.encoder import DIM, Vectors
from birdfield.model.json_fields import JsonFields
from birdfield.model.sense import EACH_SENSE, Sense
from birdfield.model.species import Species, fold

MAGIC = b"birdfield-store 1 "
ARRAYS = {"entries": ("uint8", 1), "vectors": ("float32", 2)}


@dataclass(frozen=True)
class Enrolled:
    """The samples that a user enrolled for a species; kept so that more can be added later.

    Attributes:
        species: The species; the label of a factory species means more samples of it.
        hashes: SHA-256 of the content of each file, to find repeats.
        senses: IMAGE or AUDIO, for each file.
        vectors: float32 [N, 128], the tower vector of each file.
    """

    species: Species
    hashes: tuple[str, ...]
    senses: tuple[Sense, ...]
    vectors: Vectors

    def of_sense(self, sense: Sense) -> Vectors:
        """Return the vectors of the files of one sense, [n, 128]."""
        return self.vectors[[row for row, own in enumerate(self.senses) if own == sense]]

    def joined_with(self, other: "Enrolled") -> "Enrolled":
        """Return the samples of both, without repeats, under this species."""
        new = [row for row, digest in enumerate(other.hashes) if digest not in self.hashes]
        return replace(
            self,
            hashes=(*self.hashes, *(other.hashes[row] for row in new)),
            senses=(*self.senses, *(other.senses[row] for row in new)),
            vectors=np.concatenate([self.vectors, other.vectors[new]]),
        )

    def to_json(self) -> dict[str, object]:
        """Return the entry in the store's file; the vectors are beside it."""
        return {"species": self.species.to_json(), "hashes": self.hashes, "senses": self.senses}


@dataclass(frozen=True)
class Store:
    """The changes that a user made to the species of a model.

    Attributes:
        model: Id of the model that made the vectors.
        enrolled: Enrolled species by label.
        removed: Labels of removed factory species.
        set_aside: Enrolled samples of removed species by label, kept to be restored.
        renamed: New labels of factory species, by their factory labels.
    """

    model: str
    enrolled: Mapping[str, Enrolled] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = field(default_factory=dict)
    set_aside: Mapping[str, Enrolled] = field(default_factory=dict)

    def current_label(self, factory_label: str) -> str:
        """Return the label that a factory species has now."""
        return self.renamed.get(factory_label, factory_label)

    def dump(self) -> bytes:
        """Return the content of the store's file: a line with the checksum of the rest, and it."""
        entries = {
            "model": self.model,
            "removed": sorted(self.removed),
            "renamed": dict(self.renamed),
            "enrolled": [
                *(entry.to_json() for entry in self.enrolled.values()),
                *({**entry.to_json(), "removed": True} for entry in self.set_aside.values()),
            ],
        }
        text = json.dumps(entries, ensure_ascii=False).encode()
        vectors = [entry.vectors for entry in (*self.enrolled.values(), *self.set_aside.values())]
        body = dump_arrays(
            {
                "entries": np.frombuffer(text, np.uint8),
                "vectors": np.concatenate([np.zeros((0, DIM), np.float32), *vectors]),
            }
        )
        return MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def respelled(store: Store, factory: Sequence[str]) -> Store:
    """Return a store in which each species has the label that the bundle has for it.

    The store may be older than the present spelling of the bundle's labels, and may hold a second
    species that differs from one of the bundle by a hyphen alone: both become one species.

    Args:
        store: The store.
        factory: Labels of the bundle.
    """
    spelled = {fold(label): label for label in reversed(factory)}

    def now(label: str) -> str:
        return label if label in factory else spelled.get(fold(label), label)

    renamed = {now(old): new for old, new in store.renamed.items()}
    current = [renamed.get(label, label) for label in factory]

    def relabelled(entries: Mapping[str, Enrolled]) -> dict[str, Enrolled]:
        shown = {fold(label): label for label in reversed(current)}
        found: dict[str, Enrolled] = {}
        for label, entry in entries.items():
            own = label if label in current else shown.setdefault(fold(label), label)
            entry = replace(entry, species=replace(entry.species, label=own))
            found[own] = found[own].joined_with(entry) if own in found else entry
        return found

    return replace(
        store,
        enrolled=relabelled(store.enrolled),
        set_aside=relabelled(store.set_aside),
        removed=frozenset(map(now, store.removed)),
        renamed=renamed,
    )


def parse_store(data: bytes, name: str) -> Store:
    """Read the content of a store's file.

    Raises:
        InputError: When it is damaged, or not a store; `name` is the file's name in the message.
    """
    head, _, body = data.partition(b"\n")
    checksum = hashlib.sha256(body).hexdigest().encode()
    if not head.startswith(MAGIC) or head.removeprefix(MAGIC) != checksum:
        raise InputError(
            f"{name}: the store is damaged (wrong checksum); "
            "restore it from a copy, or move it away and enrol its species again"
        )
    arrays = load_arrays(body, ARRAYS, name)
    try:
        fields = JsonFields(json.loads(arrays.get("entries", np.uint8).tobytes()))
        return _from_fields(fields, arrays.get("vectors", np.float32))
    except (ValueError, RecursionError, InputError) as error:
        raise InputError(
            f"{name}: the store is malformed ({error}); "
            "restore it from a copy, or move it away and enrol its species again"
        ) from error


def _from_fields(fields: JsonFields, vectors: NDArray[np.float32]) -> Store:
    enrolled: dict[str, Enrolled] = {}
    set_aside: dict[str, Enrolled] = {}
    start = 0
    for entry in fields.objects("enrolled"):
        count = len(entry.texts("hashes"))
        species = _enrolled(entry, vectors[start : start + count])
        kept = set_aside if entry.document.get("removed") is True else enrolled
        kept[species.species.label] = species
        start += count
    if start != len(vectors) or not np.isfinite(vectors).all():
        raise ValueError(f"{len(vectors)} vectors, expected {start} of finite numbers")
    return Store(
        fields.text("model"),
        enrolled,
        frozenset(fields.texts("removed")),
        fields.text_by_name("renamed"),
        set_aside,
    )


def _enrolled(entry: JsonFields, vectors: NDArray[np.float32]) -> Enrolled:
    species = Species.from_json(entry.fields("species").document)
    hashes, senses = entry.texts("hashes"), entry.texts("senses")
    if (
        len(hashes) != len(senses)
        or vectors.shape != (len(hashes), DIM)
        or not set(senses) <= set(EACH_SENSE)
    ):
        raise ValueError(
            f"the hashes, senses and vectors of {species.label!r} do not fit each other"
        )
    return Enrolled(species, hashes, tuple(map(Sense, senses)), vectors)
