"""The gallery: the prototypes of every species, and how similarities become probabilities."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from birdfield.arrays import dump_arrays, load_arrays
from birdfield.errors import InputError
from birdfield.model.encoder import DIM, Vectors
from birdfield.model.sense import SENSES, Sense
from birdfield.model.species import Species

MAX_SPECIES = 100_000
NEARER = 0.05  # in cosine, that a species must be nearer than what no bird is
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
class Calibration:
    """How the similarities of one model read, fitted on out-of-fold samples.

    Attributes:
        temperature: Divides cosine similarities before the softmax, by SENSES.
        threshold: The similarity below which an answer is *unknown*, by SENSES, for a species
            that has none of its own.
        late_weight: What the log-probability by sound counts in late fusion; by sight is 1.
    """

    temperature: tuple[float, float, float]
    threshold: tuple[float, float, float]
    late_weight: float

    def to_json(self) -> dict[str, Any]:
        """Return the form that manifests hold."""
        return {
            "temperature": dict(zip(SENSES, self.temperature, strict=True)),
            "threshold": dict(zip(SENSES, self.threshold, strict=True)),
            "late_weight": self.late_weight,
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "Calibration":
        """Read such an entry; raises KeyError, TypeError or ValueError when malformed."""
        image, audio, both = (float(entry["temperature"][sense]) for sense in SENSES)
        seen, heard, joint = (float(entry["threshold"][sense]) for sense in SENSES)
        calibration = cls((image, audio, both), (seen, heard, joint), float(entry["late_weight"]))
        values = np.array(
            [*calibration.temperature, *calibration.threshold, calibration.late_weight]
        )
        if not np.isfinite(values).all() or min(calibration.temperature) <= 0:
            raise ValueError(f"calibration {entry!r} is out of range")
        return calibration


@dataclass(frozen=True)
class Gallery:
    """Prototypes by species.

    Attributes:
        species: N species.
        vectors: float32 [M, 128], prototypes; unit, but for some of enrolled species, which are a
            little longer (`prototypes.lengthen`).
        owner: int32 [M], the species of each prototype.
        senses: uint8 [M], the index in SENSES of what each prototype was made from.
        thresholds: float32 [N, 3], the least similarity of a known answer, by species and SENSES.
        calibration: Of the model that made the vectors.
        background_vectors: float32 [K, 128], unit prototypes of what no bird is; may be empty.
        background_senses: uint8 [K], the index in SENSES of each of these.
        log_prior: [N], the natural logarithm of what each species counts here and now; None where
            all count the same.
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
    def _matchers(self) -> dict[str, tuple[Vectors, NDArray[np.intp], NDArray[np.int32]]]:
        return {}

    def similarities(self, vectors: Vectors, sense: Sense) -> NDArray[np.float32]:
        """Compare vectors with every species: the best cosine over its prototypes.

        Prototypes of the query's own senses are compared; a species that has none of them
        (enrolled by photographs and now heard) is compared by what it has.

        Args:
            vectors: float32 [Q, 128], unit.
            sense: One of SENSES: what the vectors were made from.

        Returns:
            float32 [Q, N], about -1..1; a species without a prototype has -1.
        """
        if sense not in self._matchers:
            self._matchers[sense] = self._matcher(SENSES.index(sense))
        prototypes, starts, owners = self._matchers[sense]
        result = np.full((len(vectors), len(self.species)), -1.0, np.float32)
        if len(starts):
            result[:, owners] = np.maximum.reduceat(vectors @ prototypes.T, starts, axis=1)
        return result

    def _matcher(self, sense: int) -> tuple[Vectors, NDArray[np.intp], NDArray[np.int32]]:
        native = self.senses == sense
        lacking = np.ones(len(self.species), bool)
        lacking[self.owner[native]] = False
        rows = np.flatnonzero(native | lacking[self.owner])
        rows = rows[np.argsort(self.owner[rows], kind="stable")]
        owners, starts = np.unique(self.owner[rows], return_index=True)
        return self.vectors[rows], starts, owners

    def background_similarity(self, vectors: Vectors, sense: Sense) -> NDArray[np.float32]:
        """Compare vectors with what no bird is: the best cosine over its prototypes.

        Args:
            vectors: float32 [Q, 128], unit.
            sense: One of SENSES: what the vectors were made from.

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
    """Tell how surely each sample is of a species of the gallery, and not unknown.

    It is how far the nearest species is above its threshold; where what no bird is comes within
    NEARER of it, at most how far it is above that: docs/decisions/0009-no-bird.md. What is 0 or
    more is answered.

    Args:
        similarities: float32 [Q, N], from `Gallery.similarities`.
        background_similarities: float32 [Q], from `Gallery.background_similarity`.
        gallery: At least one species.
        sense: One of SENSES: what the samples were made from.

    Returns:
        float32 [Q], about -2..2.
    """
    nearest = similarities.argmax(axis=1)
    best = similarities[np.arange(len(similarities)), nearest]
    above = best - gallery.thresholds[nearest, SENSES.index(sense)]
    ahead = best - background_similarities - NEARER
    return np.asarray(np.where(ahead < 0, np.minimum(above, ahead), above), np.float32)


def margin_of_vectors(vectors: Vectors, gallery: Gallery, sense: Sense) -> NDArray[np.float32]:
    """Return the `margin_over_unknown` of vectors [Q, 128], float32 [Q]."""
    return margin_over_unknown(
        gallery.similarities(vectors, sense),
        gallery.background_similarity(vectors, sense),
        gallery,
        sense,
    )


def load_gallery(data: bytes, calibration: Calibration, name: str) -> Gallery:
    """Read the content of `species.npz`, checking that its parts fit each other.

    Raises:
        InputError: When anything in it is not as it must be.
    """
    arrays = load_arrays(data, ARRAYS, name)
    species = parse_species(arrays.get("species", np.uint8).tobytes(), name)
    gallery = Gallery(
        species,
        arrays.get("vectors", np.float32),
        arrays.get("owner", np.int32),
        arrays.get("senses", np.uint8),
        arrays.get("thresholds", np.float32),
        calibration,
        arrays.get("nobird_vectors", np.float32),
        arrays.get("nobird_senses", np.uint8),
    )
    _check(gallery, name)
    return gallery


def parse_species(data: bytes, name: str) -> tuple[Species, ...]:
    """Read a JSON list of species; labels are unique.

    Raises:
        InputError: When it is malformed.
    """
    try:
        species = tuple(Species.from_json(entry) for entry in json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{name}: its list of species is malformed ({error!r}); restore it from a copy"
        ) from error
    if len(species) > MAX_SPECIES or len({entry.label for entry in species}) != len(species):
        raise InputError(
            f"{name}: holds {len(species):,} species, some twice; expected at most "
            f"{MAX_SPECIES:,}, each once"
        )
    return species


def _check(gallery: Gallery, name: str) -> None:
    count, rows = len(gallery.species), len(gallery.vectors)
    fits = (
        gallery.vectors.shape == (rows, DIM)
        and gallery.owner.shape == (rows,)
        and gallery.senses.shape == (rows,)
        and gallery.thresholds.shape == (count, 3)
        and (gallery.owner >= 0).all()
        and (gallery.owner < count).all()
        and (gallery.senses < len(SENSES)).all()
        and np.isfinite(gallery.thresholds).all()
        and np.allclose(np.linalg.norm(gallery.vectors, axis=1), 1.0, atol=1e-3)
        and gallery.background_vectors.shape == (len(gallery.background_senses), DIM)
        and (gallery.background_senses < len(SENSES)).all()
        and np.allclose(np.linalg.norm(gallery.background_vectors, axis=1), 1.0, atol=1e-3)
    )
    if not fits:
        raise InputError(
            f"{name}: {rows} prototypes of shape {list(gallery.vectors.shape)} for "
            f"{count} species do not fit; expected unit vectors [M, {DIM}]; "
            "restore it from a copy"
        )
