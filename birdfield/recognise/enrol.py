"""Enrolling a species from a few photographs and recordings, without retraining."""

import hashlib
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from birdfield.errors import InputError, shorten_list
from birdfield.model.bundle import Bundle
from birdfield.model.encoder import Encoder, Vector, pool
from birdfield.model.gallery import Gallery
from birdfield.model.sense import Sense
from birdfield.model.species import Species, fold
from birdfield.model.store import Enrolled, Store, edit_store, load_store, merged_gallery
from birdfield.recognise.embed import embed_file, sense_of_file

OUTLIER_SD = 3.0  # how far below the others' mean similarity a file is called an outlier
OUTLIER_DROP = 0.25  # and by how much cosine at least
LOOK_ALIKE = 0.85  # cosine to another species above which the two will be mixed up


@dataclass(frozen=True)
class FileReport:
    """What enrolment found of one file.

    Attributes:
        path: The file.
        sense: "image" or "audio".
        to_others: Its mean cosine to the other files of its sense; None when it is alone.
        nearest: The nearest other species of the gallery, or None when there is none.
        nearest_similarity: Its cosine.
        warning: "outlier", "look-alike", "repeat" (not enrolled again) or None.
    """

    path: Path
    sense: Sense
    to_others: float | None
    nearest: str | None
    nearest_similarity: float | None
    warning: str | None


@dataclass(frozen=True, eq=False)  # a file that is named twice is two of them
class _Candidate:
    path: Path
    sense: Sense
    digest: str
    vector: Vector


def enrol(
    bundle: Bundle, encoder: Encoder, species: Species, paths: Sequence[Path], dry_run: bool = False
) -> list[FileReport]:
    """Add a species, or more samples of one, to the store beside a bundle.

    Args:
        bundle: The model.
        encoder: Its towers.
        species: Whose files these are.
        paths: Photographs and recordings.
        dry_run: Whether to report and store nothing.

    Returns:
        A report for each file.

    Raises:
        InputError: When a file cannot be read; nothing is stored then.
    """
    candidates = [_embed(encoder, path) for path in paths]
    with nullcontext([load_store(bundle)]) if dry_run else edit_store(bundle) as held:
        store = held[0]
        species = _known_as(bundle, store, species)
        known = store.enrolled.get(species.label)
        fresh = _fresh(candidates, known.hashes if known else ())
        reports = _reports(bundle, store, encoder, species.label, candidates, fresh, known)
        if fresh:
            held[0] = _with_samples(store, species, known, fresh)
    return reports


def _embed(encoder: Encoder, path: Path) -> _Candidate:
    sense = sense_of_file(path)
    vectors = [
        part.image if part.image is not None else part.audio for part in embed_file(encoder, path)
    ]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return _Candidate(
        path, sense, digest, pool([vector for vector in vectors if vector is not None])
    )


def _fresh(candidates: Sequence[_Candidate], known: Sequence[str]) -> list[_Candidate]:
    seen, fresh = set(known), []
    for candidate in candidates:
        if candidate.digest not in seen:
            fresh.append(candidate)
        seen.add(candidate.digest)
    return fresh


def _with_samples(
    store: Store, species: Species, known: Enrolled | None, fresh: Sequence[_Candidate]
) -> Store:
    hashes = tuple(candidate.digest for candidate in fresh)
    senses = tuple(candidate.sense for candidate in fresh)
    vectors = np.stack([candidate.vector for candidate in fresh])
    if known:
        hashes, senses = known.hashes + hashes, known.senses + senses
        vectors = np.concatenate([known.vectors, vectors])
    entry = Enrolled(known.species if known else species, hashes, senses, vectors)
    return replace(store, enrolled={**store.enrolled, species.label: entry})


def _reports(
    bundle: Bundle,
    store: Store,
    encoder: Encoder,
    label: str,
    candidates: Sequence[_Candidate],
    fresh: Sequence[_Candidate],
    known: Enrolled | None,
) -> list[FileReport]:
    gallery = merged_gallery(bundle, store, encoder.fuse)
    reports = []
    for candidate in candidates:
        others = [
            other.vector
            for other in fresh
            if other.digest != candidate.digest and other.sense == candidate.sense
        ]
        if known:
            others += [
                vector
                for vector, sense, digest in zip(
                    known.vectors, known.senses, known.hashes, strict=True
                )
                if digest != candidate.digest and sense == candidate.sense
            ]
        similar = float(np.mean(np.stack(others) @ candidate.vector)) if others else None
        nearest, similarity = _nearest(gallery, encoder, candidate, label)
        warning = (
            "repeat"
            if candidate not in fresh
            else "outlier"
            if _is_outlier(similar, others)
            else "look-alike"
            if similarity is not None and similarity > LOOK_ALIKE
            else None
        )
        reports.append(
            FileReport(candidate.path, candidate.sense, similar, nearest, similarity, warning)
        )
    return reports


def _is_outlier(similar: float | None, others: Sequence[Vector]) -> bool:
    """Tell whether a file resembles the others much less than they resemble each other."""
    if similar is None or len(others) < 2:
        return False
    stacked = np.stack(others)
    between = (stacked @ stacked.T)[np.triu_indices(len(others), 1)]
    limit = max(OUTLIER_SD * float(between.std()), OUTLIER_DROP)
    return similar < float(between.mean()) - limit


def _nearest(
    gallery: Gallery, encoder: Encoder, candidate: _Candidate, label: str
) -> tuple[str | None, float | None]:
    image = candidate.vector if candidate.sense == Sense.IMAGE else None
    audio = candidate.vector if candidate.sense == Sense.AUDIO else None
    similarities = gallery.similarities(encoder.fuse(image, audio)[None], candidate.sense)[0]
    for row in np.argsort(-similarities):
        if gallery.labels[row] != label:
            return gallery.labels[row], float(similarities[row])
    return None, None


def rename_species(bundle: Bundle, old: str, new: str) -> None:
    """Give a species another label.

    Raises:
        InputError: When there is no such species, or the new label is taken.
    """
    with edit_store(bundle) as held:
        store = held[0]
        labels = current_labels(bundle, store)
        old = _found(old, labels)
        if new == old or fold(new) in [fold(label) for label in labels if label != old]:
            raise InputError(
                f"species {new!r} exists already; remove it first or choose another name"
            )
        enrolled = {
            new if label == old else label: replace(
                entry, species=replace(entry.species, label=new)
            )
            if label == old
            else entry
            for label, entry in store.enrolled.items()
        }
        held[0] = replace(store, enrolled=enrolled, renamed=_renamed(bundle, store, old, new))


def remove_species(bundle: Bundle, label: str) -> None:
    """Remove a species; one of the factory's is remembered as removed.

    Raises:
        InputError: When there is no such species.
    """
    with edit_store(bundle) as held:
        store = held[0]
        label = _found(label, current_labels(bundle, store))
        enrolled = {name: entry for name, entry in store.enrolled.items() if name != label}
        gone = {
            name
            for name in bundle.factory_gallery().labels
            if store.renamed.get(name, name) == label
        }
        held[0] = replace(store, enrolled=enrolled, removed=store.removed | gone)


def current_labels(bundle: Bundle, store: Store) -> list[str]:
    """List the labels that a model answers with now."""
    factory = [
        store.renamed.get(label, label)
        for label in bundle.factory_gallery().labels
        if label not in store.removed
    ]
    return sorted({*factory, *store.enrolled})


def _renamed(bundle: Bundle, store: Store, old: str, new: str) -> dict[str, str]:
    renamed = dict(store.renamed)
    for label in bundle.factory_gallery().labels:
        if label not in store.removed and renamed.get(label, label) == old:
            renamed[label] = new
    return renamed


def _known_as(bundle: Bundle, store: Store, species: Species) -> Species:
    """Return a species as the model spells it; one that was removed comes back with its names."""
    spelt = {fold(label): label for label in current_labels(bundle, store)}
    factory = [
        replace(each, label=store.renamed.get(each.label, each.label))
        for each in bundle.factory_gallery().species
    ]
    folded = fold(species.label)
    entry = {fold(each.label): each for each in factory}.get(folded, species)
    return replace(entry, label=spelt.get(folded, entry.label))


def _found(label: str, labels: Sequence[str]) -> str:
    """Return the label that this one spells, in whatever case."""
    for known in labels:
        if fold(known) == fold(label):
            return known
    raise InputError(f"no species {label!r}; the model knows {len(labels)}: {shorten_list(labels)}")
