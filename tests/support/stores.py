"""Stores with enrolled species at known angles."""

import numpy as np
from fakes import at

from birdfield.model.bundle import Bundle
from birdfield.model.sense import Sense
from birdfield.model.species import Species
from birdfield.model.store import Enrolled, Store


def enrolled(label: str, *samples: tuple[Sense, float]) -> Enrolled:
    """Return an entry with samples (sense, angle)."""
    return Enrolled(
        Species(label),
        tuple(f"{label} {row}" for row in range(len(samples))),
        tuple(sense for sense, _ in samples),
        np.stack([at(angle) for _, angle in samples]),
    )


def store_of(bundle: Bundle, *entries: Enrolled) -> Store:
    return Store(bundle.model_id, {entry.species.label: entry for entry in entries})
