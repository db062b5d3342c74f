"""Merged gallery: joins the factory species of a bundle with the changes in its store."""

from dataclasses import replace

import numpy as np

from birdfield.model.bundle import Bundle
from birdfield.model.encoder import Vector
from birdfield.model.gallery import Gallery
from birdfield.model.prototypes import (
    Fuse,
    lengthen,
    per_photo_prototypes,
    prototypes_of,
    shrink_to_prior,
)
from birdfield.model.sense import SENSES, Sense
from birdfield.model.species import Species
from birdfield.model.store import Enrolled, Store


def merged_gallery(bundle: Bundle, store: Store, fuse: Fuse) -> Gallery:
    """Return the factory gallery with the species that a store adds, renames and removes."""
    factory = _without_removed(bundle.factory_gallery(), store)
    if not store.enrolled:
        return factory
    species = _with_enrolled(factory.species, store)
    index = {entry.label: row for row, entry in enumerate(species)}
    owner: list[int] = []
    prototypes: list[tuple[Sense, Vector]] = []
    for label, entry in store.enrolled.items():
        is_new = index[label] >= len(factory.species)
        own = _enrolled_prototypes(factory, entry, fuse, is_new)
        owner += [index[label]] * len(own)
        prototypes += own
    senses = [SENSES.index(sense) for sense, _ in prototypes]
    added = np.tile(
        np.array(bundle.calibration.threshold, np.float32), (len(species) - len(factory.species), 1)
    )
    return replace(
        factory,
        species=species,
        vectors=np.concatenate([factory.vectors, *(vector[None] for _, vector in prototypes)]),
        owner=np.concatenate([factory.owner, np.array(owner, np.int32)]),
        senses=np.concatenate([factory.senses, np.array(senses, np.uint8)]),
        thresholds=np.concatenate([factory.thresholds, added]),
    )


def _with_enrolled(factory: tuple[Species, ...], store: Store) -> tuple[Species, ...]:
    labels = {entry.label for entry in factory}
    new = (entry.species for label, entry in store.enrolled.items() if label not in labels)
    return (*factory, *new)


def _enrolled_prototypes(
    factory: Gallery, entry: Enrolled, fuse: Fuse, is_new: bool
) -> list[tuple[Sense, Vector]]:
    images, audio = entry.of_sense(Sense.IMAGE), entry.of_sense(Sense.AUDIO)
    prototypes = shrink_to_prior(
        prototypes_of(fuse, images, audio), len(audio), factory.vectors, factory.senses
    )
    if is_new:
        prototypes = lengthen(prototypes, len(images))
    return prototypes + per_photo_prototypes(fuse, images)


def _without_removed(factory: Gallery, store: Store) -> Gallery:
    """Remove and rename factory species."""
    kept = np.array([label not in store.removed for label in factory.labels], bool)
    rows = kept[factory.owner]
    new_row = np.cumsum(kept) - 1
    species = tuple(
        replace(entry, label=store.current_label(entry.label))
        for entry, keep in zip(factory.species, kept, strict=True)
        if keep
    )
    return replace(
        factory,
        species=species,
        vectors=factory.vectors[rows],
        owner=new_row[factory.owner[rows]].astype(np.int32),
        senses=factory.senses[rows],
        thresholds=factory.thresholds[kept],
    )
