"""Enrolment: adds species to a model from a few files, without retraining it."""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from birdfield.model.bundle import Bundle
from birdfield.model.encoder import Encoder, Vector, pool
from birdfield.model.gallery import Gallery
from birdfield.model.merged_gallery import merged_gallery
from birdfield.model.sense import Sense
from birdfield.model.species import Species
from birdfield.model.species_index import SpeciesIndex
from birdfield.model.store import Enrolled, Store
from birdfield.model.store_file import StoreEditor, edit_store, load_store
from birdfield.recognise.embed import embed_file, sense_from_suffix
from birdfield.recognise.species_edits import current_species
from birdfield.recognise.weak_labels import bird_vectors

OUTLIER_SD = 3.0  # standard deviations below the others' mean similarity, at least ...
OUTLIER_DROP = 0.25  # ... and cosine below it, at least, that make a file an outlier
LOOK_ALIKE = 0.85  # cosine to another species above which the model may confuse the two


class EnrolmentWarning(StrEnum):
    """A reason to look at an enrolled file again."""

    OUTLIER = "outlier"  # it differs from the other files
    LOOK_ALIKE = "look-alike"  # it is near to another species
    REPEAT = "repeat"  # it was enrolled before, and is not enrolled again


@dataclass(frozen=True)
class FileReport:
    """Result of enrolment for one file.

    Attributes:
        path: The file.
        sense: IMAGE or AUDIO.
        to_others: Mean cosine to the other files of its sense; None when there is no other.
        nearest: Label of the nearest other species of the gallery; None when there is none.
        nearest_similarity: Cosine to that species.
        warning: What may be wrong with the file, or None.
    """

    path: Path
    sense: Sense
    to_others: float | None
    nearest: str | None
    nearest_similarity: float | None
    warning: EnrolmentWarning | None


@dataclass(frozen=True)
class _Neighbour:
    label: str
    similarity: float


@dataclass(frozen=True, eq=False)  # compared by identity: a file may be given twice
class _Sample:
    digest: str
    sense: Sense
    vector: Vector


def enrol(
    bundle: Bundle, encoder: Encoder, species: Species, paths: Sequence[Path], dry_run: bool = False
) -> list[FileReport]:
    """Add a species, or more samples of one, to the store of a bundle.

    A species of the bundle that was removed is restored.

    Args:
        bundle: The model.
        encoder: Its towers.
        species: The species in the files.
        paths: Photographs and recordings.
        dry_run: Whether to leave the store as it is.

    Returns:
        A report for each file.

    Raises:
        InputError: When a file cannot be used; then nothing is stored.
    """
    samples = [_embed(encoder, path) for path in paths]
    with nullcontext(StoreEditor(load_store(bundle))) if dry_run else edit_store(bundle) as editor:
        store, species = known_as(bundle, editor.store, species)
        known = store.enrolled.get(species.label)
        new = _without_repeats(samples, known.hashes if known else ())
        gallery = merged_gallery(bundle, store, encoder.fuse)
        others = [*new, *_samples_of(known)]
        reports = []
        for path, sample in zip(paths, samples, strict=True):
            nearest = _nearest(gallery, encoder, sample, species.label)
            reports.append(_report(path, sample, others, nearest))
        if new:
            editor.store = _with_samples(store, species, new)
    return reports


def _embed(encoder: Encoder, path: Path) -> _Sample:
    vectors = bird_vectors(embed_file(encoder, path), str(path))
    return _Sample(
        hashlib.sha256(path.read_bytes()).hexdigest(),
        sense_from_suffix(path),
        pool(vectors),
    )


def _samples_of(known: Enrolled | None) -> list[_Sample]:
    if known is None:
        return []
    return [
        _Sample(*sample) for sample in zip(known.hashes, known.senses, known.vectors, strict=True)
    ]


def _without_repeats(samples: Iterable[_Sample], known: Sequence[str]) -> list[_Sample]:
    seen, new = set(known), []
    for sample in samples:
        if sample.digest not in seen:
            new.append(sample)
        seen.add(sample.digest)
    return new


def _with_samples(store: Store, species: Species, new: Sequence[_Sample]) -> Store:
    known = store.enrolled.get(species.label)
    samples = [*_samples_of(known), *new]
    entry = Enrolled(
        known.species if known else species,
        tuple(sample.digest for sample in samples),
        tuple(sample.sense for sample in samples),
        np.stack([sample.vector for sample in samples]),
    )
    return replace(store, enrolled={**store.enrolled, species.label: entry})


def _report(
    path: Path, sample: _Sample, others: Sequence[_Sample], nearest: _Neighbour | None
) -> FileReport:
    """Compare a file with the samples of its species and with the nearest other species."""
    compared = [
        other.vector
        for other in others
        if other.digest != sample.digest and other.sense == sample.sense
    ]
    to_others = float(np.mean(np.stack(compared) @ sample.vector)) if compared else None
    warning = None
    if sample not in others:
        warning = EnrolmentWarning.REPEAT
    elif to_others is not None and _is_outlier(to_others, compared):
        warning = EnrolmentWarning.OUTLIER
    elif nearest and nearest.similarity > LOOK_ALIKE:
        warning = EnrolmentWarning.LOOK_ALIKE
    return FileReport(
        path,
        sample.sense,
        to_others,
        nearest.label if nearest else None,
        nearest.similarity if nearest else None,
        warning,
    )


def _is_outlier(to_others: float, others: Sequence[Vector]) -> bool:
    """Return whether a file resembles the others much less than they resemble each other."""
    if len(others) < 2:
        return False
    stacked = np.stack(others)
    between = (stacked @ stacked.T)[np.triu_indices(len(others), 1)]
    drop = max(OUTLIER_SD * float(between.std()), OUTLIER_DROP)
    return to_others < float(between.mean()) - drop


def _nearest(gallery: Gallery, encoder: Encoder, sample: _Sample, label: str) -> _Neighbour | None:
    """Return the nearest species other than the file's own."""
    image = sample.vector if sample.sense == Sense.IMAGE else None
    audio = sample.vector if sample.sense == Sense.AUDIO else None
    similarities = gallery.similarities(encoder.fuse(image, audio)[None], sample.sense)[0]
    for row in np.argsort(-similarities):
        if gallery.labels[row] != label:
            return _Neighbour(gallery.labels[row], float(similarities[row]))
    return None


def known_as(bundle: Bundle, store: Store, species: Species) -> tuple[Store, Species]:
    """Return a species with the model's spelling, and the store in which it is not removed.

    A removed species of the bundle regains its names and its prototypes.
    """
    found = SpeciesIndex(current_species(bundle, store)).find(species.label)
    if found is not None:
        return store, found
    removed = {
        store.current_label(entry.label): entry
        for entry in bundle.factory_gallery().species
        if entry.label in store.removed
    }
    index = SpeciesIndex(replace(entry, label=label) for label, entry in removed.items())
    restored = index.find(species.label)
    if restored is None:
        return store, species
    return replace(store, removed=store.removed - {removed[restored.label].label}), restored
