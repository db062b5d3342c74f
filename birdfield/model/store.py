"""The store beside a bundle: species that a user enrolled, renamed or removed."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from birdfield import atomic, paths
from birdfield.arrays import dump_arrays, load_arrays
from birdfield.errors import InputError
from birdfield.model.bundle import Bundle
from birdfield.model.encoder import DIM, Vectors
from birdfield.model.gallery import Gallery
from birdfield.model.prototypes import (
    Fuse,
    lengthen,
    per_photo_prototypes,
    prototypes_of,
    shrink_to_prior,
)
from birdfield.model.sense import EACH_SENSE, SENSES, Sense
from birdfield.model.species import Species, fold

MAGIC = b"birdfield-store 1 "
ARRAYS = {"entries": ("uint8", 1), "vectors": ("float32", 2)}
STARTER_STORE = "starter-{}"  # its folder in the user's data, by the starter's id
MAX_STORE = 600_000_000  # bytes


@dataclass(frozen=True)
class Enrolled:
    """A species' own samples: its tower vectors, so that more can be added later.

    Attributes:
        species: With its label; that of a factory species adds to what the bundle knows of it.
        hashes: SHA-256 of each file's content, against repeats.
        senses: "image" or "audio", of each file.
        vectors: float32 [N, 128], the tower vector of each file.
    """

    species: Species
    hashes: tuple[str, ...]
    senses: tuple[Sense, ...]
    vectors: Vectors

    def of_sense(self, sense: Sense) -> Vectors:
        """Return the vectors of "image" or "audio", [n, 128]."""
        return self.vectors[[row for row, own in enumerate(self.senses) if own == sense]]

    def to_json(self) -> dict[str, Any]:
        """Return what the store's file holds, beside the vectors."""
        return {"species": self.species.to_json(), "hashes": self.hashes, "senses": self.senses}


@dataclass(frozen=True)
class Store:
    """What one user changed of one model.

    Attributes:
        model: The id of the model whose vectors these are.
        enrolled: By label.
        removed: Labels of factory species that are gone.
        renamed: The new label of factory species, by their old one.
    """

    model: str
    enrolled: Mapping[str, Enrolled] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = field(default_factory=dict)

    def dump(self) -> bytes:
        """Return the content of the store's file: a line with its checksum, then the rest."""
        entries = {
            "model": self.model,
            "removed": sorted(self.removed),
            "renamed": dict(self.renamed),
            "enrolled": [entry.to_json() for entry in self.enrolled.values()],
        }
        vectors = [entry.vectors for entry in self.enrolled.values()]
        body = dump_arrays(
            {
                "entries": np.frombuffer(
                    json.dumps(entries, ensure_ascii=False).encode(), np.uint8
                ),
                "vectors": np.concatenate([np.zeros((0, DIM), np.float32), *vectors]),
            }
        )
        return MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def parse_store(data: bytes, name: str) -> Store:
    """Read the content of a store's file.

    Raises:
        InputError: When it is damaged or not a store.
    """
    head, _, body = data.partition(b"\n")
    if (
        not head.startswith(MAGIC)
        or head[len(MAGIC) :] != hashlib.sha256(body).hexdigest().encode()
    ):
        raise InputError(
            f"{name}: the store is damaged (its checksum does not fit); "
            "restore it from a copy, or move it away to start anew"
        )
    arrays = load_arrays(body, ARRAYS, name)
    try:
        return _from_arrays(
            json.loads(arrays.get("entries", np.uint8).tobytes()), arrays.get("vectors", np.float32)
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{name}: the store is malformed ({error}); "
            "restore it from a copy, or move it away to start anew"
        ) from error


def _from_arrays(entries: Mapping[str, Any], vectors: NDArray[np.float32]) -> Store:
    enrolled: dict[str, Enrolled] = {}
    start = 0
    for entry in entries["enrolled"]:
        species = Species.from_json(entry["species"])
        hashes = tuple(map(str, entry["hashes"]))
        senses = tuple(map(str, entry["senses"]))
        rows = vectors[start : start + len(hashes)]
        if (
            len(hashes) != len(senses)
            or rows.shape != (len(hashes), DIM)
            or not set(senses) <= set(EACH_SENSE)
        ):
            raise ValueError(f"the samples of {species.label!r} do not fit each other")
        enrolled[species.label] = Enrolled(species, hashes, tuple(map(Sense, senses)), rows)
        start += len(hashes)
    if start != len(vectors) or not np.isfinite(vectors).all():
        raise ValueError(f"{len(vectors)} vectors for {start} samples")
    return Store(
        str(entries["model"]),
        enrolled,
        frozenset(map(str, entries["removed"])),
        {str(old): str(new) for old, new in entries["renamed"].items()},
    )


def store_path(bundle: Bundle) -> Path:
    """Find a bundle's store where it is; a new one beside it, or under XDG_DATA_HOME.

    It is there when the bundle's folder is read-only. The packaged starter's is never beside it:
    an upgrade of the package would take it away.
    """
    folder = bundle.folder.resolve()
    beside = folder.with_name(f"{folder.name}.store") / "species.store"
    if folder == paths.STARTER.resolve():
        return user_store_path(STARTER_STORE.format(bundle.model_id))
    away = user_store_path(bundle.model_id)
    if beside.exists():
        return beside
    return beside if not away.exists() and os.access(folder.parent, os.W_OK) else away


def user_store_path(name: str) -> Path:
    """Return where the user's data folder keeps the store of a model that cannot be written."""
    return paths.data_home() / "stores" / name / "species.store"


def stale_stores(bundle: Bundle, known: Gallery) -> list[str]:
    """Tell what was enrolled with an earlier starter and is unknown to this one.

    An upgrade of the package may bring another starter, and vectors mean nothing to another model.

    Returns:
        A sentence for each such store.
    """
    if bundle.folder.resolve() != paths.STARTER.resolve():
        return []
    labels = {fold(each.label) for each in known.species}
    told = []
    stores = paths.data_home() / "stores"
    earlier = set(stores.glob(STARTER_STORE.format("*") + "/species.store")) - {store_path(bundle)}
    for path in sorted(earlier):
        try:
            lost = [
                label
                for label in parse_store(path.read_bytes(), str(path)).enrolled
                if fold(label) not in labels
            ]
        except (InputError, OSError):
            continue
        if lost:
            told.append(
                f"{path}: the starter that this package had before was taught "
                f"{', '.join(lost)}, and this one was not; enrol them again, or remove "
                f"{path.parent}"
            )
    return told


def load_store(bundle: Bundle) -> Store:
    """Read a bundle's store; an empty one where there is none.

    Raises:
        InputError: When it is damaged, or was made with another model.
    """
    path = store_path(bundle)
    try:
        if path.stat().st_size > MAX_STORE:
            raise InputError(
                f"{path}: {path.stat().st_size:,} bytes; expected a store of at most {MAX_STORE:,}"
            )
        store = parse_store(path.read_bytes(), str(path))
    except FileNotFoundError:
        return Store(bundle.model_id)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if store.model != bundle.model_id:
        raise InputError(
            f"{path}: holds vectors of model {store.model}, but the bundle is model "
            f"{bundle.model_id}; move the store away and enrol its species again"
        )
    return store


@contextmanager
def edit_store(bundle: Bundle) -> Iterator[list[Store]]:
    """Change a bundle's store: read, change and replace it under a lock.

    Yields:
        A list with the store; what stands in it at the end is written.
    """
    path = store_path(bundle)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = (path.parent / "lock").open("w")
    except OSError as error:
        raise atomic.to_input_error(path, error) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = load_store(bundle)
        held = [before]
        yield held
        if held[0] is not before:
            atomic.write_file(path, held[0].dump())


def merged_gallery(bundle: Bundle, store: Store, fuse: Fuse) -> Gallery:
    """Join the factory species with what the store adds, renames and removes."""
    factory = _changed(bundle.factory_gallery(), store)
    if not store.enrolled:
        return factory
    species = list(factory.species)
    index = {entry.label: row for row, entry in enumerate(species)}
    vectors, owner, senses = [factory.vectors], [factory.owner], [factory.senses]
    for label, entry in store.enrolled.items():
        if label not in index:
            index[label] = len(species)
            species.append(entry.species)
        audio = entry.of_sense(Sense.AUDIO)
        images = entry.of_sense(Sense.IMAGE)
        made = shrink_to_prior(
            prototypes_of(fuse, images, audio), len(audio), factory.vectors, factory.senses
        )
        if index[label] >= len(factory.species):
            made = lengthen(made, len(images))
        for sense, vector in made + per_photo_prototypes(fuse, images):
            vectors.append(vector[None])
            owner.append(np.array([index[label]], np.int32))
            senses.append(np.array([SENSES.index(sense)], np.uint8))
    added = np.tile(
        np.array(bundle.calibration.threshold, np.float32), (len(species) - len(factory.species), 1)
    )
    return replace(
        factory,
        species=tuple(species),
        vectors=np.concatenate(vectors),
        owner=np.concatenate(owner),
        senses=np.concatenate(senses),
        thresholds=np.concatenate([factory.thresholds, added]),
    )


def _changed(factory: Gallery, store: Store) -> Gallery:
    """Apply the tombstones and the new names to the factory species."""
    kept = np.array([entry.label not in store.removed for entry in factory.species], bool)
    rows = kept[factory.owner]
    place = np.cumsum(kept) - 1
    species = tuple(
        replace(entry, label=store.renamed.get(entry.label, entry.label))
        for entry, keep in zip(factory.species, kept, strict=True)
        if keep
    )
    return replace(
        factory,
        species=species,
        vectors=factory.vectors[rows],
        owner=place[factory.owner[rows]].astype(np.int32),
        senses=factory.senses[rows],
        thresholds=factory.thresholds[kept],
    )
