"""Gallery: the prototypes of every species, and the similarities of vectors to them."""

import json
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from birdfield.arrays import dump_arrays, load_arrays
from birdfield.errors import InputError
from birdfield.model.calibration import Calibration
from birdfield.model.encoder import DIM, Vectors
from birdfield.model.sense import SENSES, Sense
from birdfield.model.species import Species

MAX_SPECIES = 100_000
BACKGROUND_LEAD = 0.05  # cosine by which a species must be nearer than background
ARRAYS = {
    "species": ("uint8", 1),
    "vectors": ("float32", 2),
    "owner": ("int32", 1),
    "senses": ("uint8", 1),
    "thresholds": ("float32", 2),
    "nobird_vectors": ("float32", 2),
    "nobird_senses": ("uint8", 1),
}


@dataclass(frozen=True)
class Gallery:
    """Prototypes by species.

    Attributes:
        species: N species.
        vectors: float32 [M, 128], prototypes; unit vectors, except for some of enrolled species,
            which are a little longer (`prototypes.lengthen`).
        owner: int32 [M], the species of each prototype.
        senses: uint8 [M], the index in SENSES of the samples of each prototype.
        thresholds: float32 [N, 3], the least similarity of a known answer, by species and SENSES.
        calibration: Calibration of the model that made the vectors.
        background_vectors: float32 [K, 128], unit prototypes of background; may be empty.
        background_senses: uint8 [K], the index in SENSES of each of these.
        log_prior: float64 [N], the natural logarithm of the weight of each species at the place and
            time; None where all weigh the same.
    """

    species: tuple[Species, ...]
    vectors: Vectors
    owner: NDArray[np.int32]
    senses: NDArray[np.uint8]
    thresholds: NDArray[np.float32]
    calibration: Calibration
    background_vectors: Vectors = field(default_factory=lambda: np.zeros((0, DIM), np.float32))
    background_senses: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    log_prior: NDArray[np.float64] | None = None

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The species' labels."""
        return tuple(species.label for species in self.species)

    @cached_property
    def _matchers(self) -> dict[Sense, tuple[Vectors, NDArray[np.intp], NDArray[np.int32]]]:
        return {}

    def similarities(self, vectors: Vectors, sense: Sense) -> NDArray[np.float32]:
        """Return the best cosine of each vector over the prototypes of each species.

        Only prototypes of the vectors' own sense count. A species that has none of them, such as
        one enrolled from photographs and compared with a sound, is compared by those it has.

        Args:
            vectors: float32 [Q, 128], unit.
            sense: Senses that the vectors were made from.

        Returns:
            float32 [Q, N], about -1..1; -1 for a species without a prototype.
        """
        if sense not in self._matchers:
            self._matchers[sense] = self._matcher(SENSES.index(sense))
        prototypes, starts, owners = self._matchers[sense]
        result = np.full((len(vectors), len(self.species)), -1.0, np.float32)
        if len(starts):
            result[:, owners] = np.maximum.reduceat(vectors @ prototypes.T, starts, axis=1)
        return result

    def _matcher(self, sense: int) -> tuple[Vectors, NDArray[np.intp], NDArray[np.int32]]:
        """Return prototypes sorted by species, the first row of each species, and the species."""
        native = self.senses == sense
        lacking = np.ones(len(self.species), bool)
        lacking[self.owner[native]] = False
        rows = np.flatnonzero(native | lacking[self.owner])
        rows = rows[np.argsort(self.owner[rows], kind="stable")]
        owners, starts = np.unique(self.owner[rows], return_index=True)
        return self.vectors[rows], starts, owners

    def background_similarity(self, vectors: Vectors, sense: Sense) -> NDArray[np.float32]:
        """Return the best cosine of each vector over the prototypes of background.

        Args:
            vectors: float32 [Q, 128], unit.
            sense: Senses that the vectors were made from.

        Returns:
            float32 [Q], -1..1; -1 where the gallery has no such prototype of the sense.
        """
        prototypes = self.background_vectors[self.background_senses == SENSES.index(sense)]
        return np.asarray((vectors @ prototypes.T).max(axis=1, initial=-1.0), np.float32)

    def dump(self) -> bytes:
        """Return the content of `species.npz`."""
        entries = json.dumps([species.to_json() for species in self.species], ensure_ascii=False)
        return dump_arrays(
            {
                "species": np.frombuffer(entries.encode(), np.uint8),
                "vectors": self.vectors,
                "owner": self.owner,
                "senses": self.senses,
                "thresholds": self.thresholds,
                "nobird_vectors": self.background_vectors,
                "nobird_senses": self.background_senses,
            }
        )


def margin_over_unknown(
    similarities: NDArray[np.float32],
    background_similarities: NDArray[np.float32],
    gallery: Gallery,
    sense: Sense,
) -> NDArray[np.float32]:
    """Return how far each sample is from being *unknown*; from 0 on it is known.

    This is the similarity to the nearest species less its threshold. Where background is less than
    BACKGROUND_LEAD farther than that species, it is at most the lead that is left:
    docs/decisions/0009-no-bird.md.

    Args:
        similarities: float32 [Q, N], from `Gallery.similarities`.
        background_similarities: float32 [Q], from `Gallery.background_similarity`.
        gallery: At least one species.
        sense: Senses that the samples were made from.

    Returns:
        float32 [Q], about -2..2.
    """
    nearest = similarities.argmax(axis=1)
    best = similarities[np.arange(len(similarities)), nearest]
    above = best - gallery.thresholds[nearest, SENSES.index(sense)]
    lead = best - background_similarities - BACKGROUND_LEAD
    return np.asarray(np.where(lead < 0, np.minimum(above, lead), above), np.float32)


def margin_of_vectors(vectors: Vectors, gallery: Gallery, sense: Sense) -> NDArray[np.float32]:
    """Return the `margin_over_unknown` of vectors [Q, 128], float32 [Q]."""
    return margin_over_unknown(
        gallery.similarities(vectors, sense),
        gallery.background_similarity(vectors, sense),
        gallery,
        sense,
    )


def load_gallery(data: bytes, calibration: Calibration, name: str) -> Gallery:
    """Read the content of `species.npz`, and check that its arrays fit each other.

    Args:
        data: The content.
        calibration: Calibration of the model.
        name: The file's name in error messages.

    Raises:
        InputError: When an array is missing, malformed, or does not fit the others.
    """
    arrays = load_arrays(data, ARRAYS, name)
    gallery = Gallery(
        species=parse_species(arrays.get("species", np.uint8).tobytes(), name),
        vectors=arrays.get("vectors", np.float32),
        owner=arrays.get("owner", np.int32),
        senses=arrays.get("senses", np.uint8),
        thresholds=arrays.get("thresholds", np.float32),
        calibration=calibration,
        background_vectors=arrays.get("nobird_vectors", np.float32),
        background_senses=arrays.get("nobird_senses", np.uint8),
    )
    _check(gallery, name)
    return gallery


def parse_species(data: bytes, name: str) -> tuple[Species, ...]:
    """Read a JSON list of species with unique labels.

    Raises:
        InputError: When it is malformed; `name` is the file's name in the message.
    """
    try:
        entries = json.loads(data)
        if not isinstance(entries, list):
            raise ValueError("expected a list")
        species = tuple(Species.from_json(entry) for entry in entries)
    except (ValueError, RecursionError, InputError) as error:
        raise InputError(
            f"{name}: the list of species is malformed ({error}); restore it from a copy"
        ) from error
    if len(species) > MAX_SPECIES or len({entry.label for entry in species}) != len(species):
        raise InputError(
            f"{name}: {len(species):,} species, or some of them twice; expected at most "
            f"{MAX_SPECIES:,}, each once; restore it from a copy"
        )
    return species


def _check(gallery: Gallery, name: str) -> None:
    count, rows = len(gallery.species), len(gallery.vectors)
    fits = (
        gallery.vectors.shape == (rows, DIM)
        and gallery.owner.shape == (rows,)
        and gallery.senses.shape == (rows,)
        and gallery.thresholds.shape == (count, len(SENSES))
        and (gallery.owner >= 0).all()
        and (gallery.owner < count).all()
        and (gallery.senses < len(SENSES)).all()
        and np.isfinite(gallery.thresholds).all()
        and _all_unit(gallery.vectors)
        and gallery.background_vectors.shape == (len(gallery.background_senses), DIM)
        and (gallery.background_senses < len(SENSES)).all()
        and _all_unit(gallery.background_vectors)
    )
    if not fits:
        raise InputError(
            f"{name}: {rows} prototypes of shape {list(gallery.vectors.shape)} for "
            f"{count} species do not fit; expected unit vectors [M, {DIM}]; "
            "restore it from a copy"
        )


def _all_unit(vectors: Vectors) -> bool:
    return bool(np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3))
