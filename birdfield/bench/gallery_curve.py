"""Gallery curve: times the match among growing numbers of species."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birdfield.bench.timing import Stage, Timing, interleave
from birdfield.errors import InputError
from birdfield.model.encoder import DIM, unit
from birdfield.model.gallery import MAX_SPECIES, Gallery
from birdfield.model.sense import SENSES, Sense
from birdfield.model.species import Species

ROUNDS = 200
SIZES = (100, 1_000, 10_000)  # species
PROTOTYPES_PER_SPECIES = 4


@dataclass(frozen=True)
class GalleryTiming:
    """The time of a match among a number of species."""

    species: int
    timing: Timing

    @property
    def prototypes(self) -> int:
        """All prototypes of the gallery."""
        return self.species * PROTOTYPES_PER_SPECIES

    def to_json(self) -> dict[str, float]:
        """Return the JSON form."""
        return {
            "species": self.species,
            "prototypes": self.prototypes,
            **self.timing.to_json(),
        }


def time_galleries(max_species: int, like: Gallery) -> list[GalleryTiming]:
    """Time the match among 100, 1,000, ... and `max_species` species.

    Args:
        max_species: The largest number of species.
        like: The gallery of a model, for its calibration.

    Raises:
        InputError: When `max_species` is less than 1, or more than a gallery can hold.
    """
    if not 1 <= max_species <= MAX_SPECIES:
        raise InputError(
            f"a gallery of {max_species:,} species cannot be timed; expected 1 to {MAX_SPECIES:,}"
        )
    sizes = [*(size for size in SIZES if size < max_species), max_species]
    stages = [[_match_stage(size, like)] for size in sizes]
    timings = interleave(stages, lambda *_: None, ROUNDS)
    return [GalleryTiming(size, found["match"]) for size, found in zip(sizes, timings, strict=True)]


def _match_stage(size: int, like: Gallery) -> Stage:
    vectors = random_units(size * PROTOTYPES_PER_SPECIES, size)
    gallery = Gallery(
        tuple(Species(f"species {row}") for row in range(size)),
        vectors,
        np.repeat(np.arange(size, dtype=np.int32), PROTOTYPES_PER_SPECIES),
        np.full(len(vectors), SENSES.index(Sense.BOTH), np.uint8),
        np.zeros((size, 3), np.float32),
        like.calibration,
    )
    query = random_units(1, 0)
    return Stage("match", lambda: gallery.similarities(query, Sense.BOTH))


def random_units(count: int, seed: int) -> NDArray[np.float32]:
    """Draw random unit vectors, float32 [count, DIM]."""
    return unit(np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32))
