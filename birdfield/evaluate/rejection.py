"""Rejection test: measures how well a model rejects unknown species and background."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError, shorten_list
from birdfield.evaluate.figures import GroupFigures, RejectionFigures, SenseRejection
from birdfield.evaluate.files import EmbeddedFiles
from birdfield.evaluate.metrics import auroc, fpr_at_95_tpr, oscr, rounded
from birdfield.evaluate.pairs import Pairs, draw_pairs, fuse_senses, pair_at_random
from birdfield.evaluate.scores import EvaluationScores
from birdfield.model.gallery import margin_of_vectors
from birdfield.model.prototypes import Fuse
from birdfield.model.sense import EACH_SENSE, Sense
from birdfield.model.species import fold
from birdfield.recognise.dataset import Dataset, scan_dataset

MIN_SPECIES = 10  # unknown species with both senses, for a figure by both


@dataclass(frozen=True)
class Separation:
    """The margins over unknown of known birds and of other samples, by one sense.

    Attributes:
        known: float32 [N], of the test files.
        other: float32 [M], of unknown species, or of background.
    """

    known: NDArray[np.float32]
    other: NDArray[np.float32]


@dataclass(frozen=True)
class Rejection:
    """The figures of a rejection test, and the margins that they summarise, by sense."""

    figures: RejectionFigures
    separations: Mapping[Sense, Separation]


def scan_unknown(labels: Sequence[str], image_dir: Path, audio_dir: Path) -> Dataset:
    """List two folders with one folder for each species, none of them in the gallery.

    Args:
        labels: The species of the gallery.
        image_dir: Photographs.
        audio_dir: Recordings.

    Raises:
        InputError: When a folder is missing, or a species is in the gallery.
    """
    dataset = scan_dataset(image_dir, audio_dir)
    folded = set(map(fold, labels))
    known = [label for label in dataset.labels if fold(label) in folded]
    if known:
        raise InputError(
            f"the model knows {shorten_list(known)} of {image_dir} and {audio_dir}; expected "
            "only species that it does not know; remove these folders"
        )
    return dataset


def measure_unknown(
    fuse: Fuse,
    scores: EvaluationScores,
    files: EmbeddedFiles,
    labels: Sequence[str],
    seed: int = 0,
) -> Rejection:
    """Measure how well margins over unknown separate the test files from unknown species.

    A species is near when the last word of its name is also that of a species of the gallery
    ("Coal Tit" and "Great Tit"), else far (after Vaze et al., ICLR 2022, 5).

    Args:
        fuse: The model's fusion.
        scores: Of the test files.
        files: Files of unknown species, labelled by their place in `labels`.
        labels: The unknown species.
        seed: The seed of the pairing within a species.

    Returns:
        The figures by both senses only when at least MIN_SPECIES species have both.
    """
    families = {_family(label) for label in scores.gallery.labels}
    is_near = np.array([_family(label) in families for label in labels], bool)
    pairs = draw_pairs(files.images, files.audio, seed)
    separations = _separate(fuse, scores, files, pairs)
    species = {
        Sense.IMAGE: files.images.labels,
        Sense.AUDIO: files.audio.labels,
        Sense.BOTH: files.images.labels[pairs.images],
    }
    figures = {
        sense: _unknown_figures(found, scores.by_sense(sense).correct, is_near[species[sense]])
        for sense, found in separations.items()
    }
    paired = len(np.unique(species[Sense.BOTH]))
    if paired >= MIN_SPECIES:
        return Rejection(RejectionFigures(figures), separations)
    return _without_both(
        figures,
        separations,
        f"{paired} unknown species with both photographs and recordings; expected at least "
        f"{MIN_SPECIES}",
    )


def measure_background(
    fuse: Fuse, scores: EvaluationScores, files: EmbeddedFiles, seed: int = 0
) -> Rejection:
    """Measure how well margins over unknown separate the test files from background.

    Each background file is in at least one pair.

    Args:
        fuse: The model's fusion.
        scores: Of the test files.
        files: Background.
        seed: The seed of the pairing.

    Returns:
        The figures by both senses only when both have usable files.
    """
    rng = np.random.default_rng(seed)
    pairs = pair_at_random(len(files.image_paths), len(files.audio_paths), rng)
    separations = _separate(fuse, scores, files, pairs)
    figures = {sense: _background_figures(found) for sense, found in separations.items()}
    if len(pairs.images):
        return Rejection(RejectionFigures(figures), separations)
    return _without_both(figures, separations, "no usable file of one sense; expected some of both")


def _without_both(
    figures: Mapping[Sense, SenseRejection],
    separations: Mapping[Sense, Separation],
    reason: str,
) -> Rejection:
    kept = {sense: figures[sense] for sense in EACH_SENSE}
    return Rejection(RejectionFigures(kept, reason), separations)


def _separate(
    fuse: Fuse, scores: EvaluationScores, files: EmbeddedFiles, pairs: Pairs
) -> dict[Sense, Separation]:
    """Return the margins of the test files and of other files, by sense."""
    fused = fuse_senses(fuse, files.images.vectors, files.audio.vectors, pairs)
    return {
        sense: Separation(scores.margins(sense), margin_of_vectors(vectors, scores.gallery, sense))
        for sense, vectors in fused.items()
    }


def _unknown_figures(
    found: Separation, correct: NDArray[np.bool_], is_near: NDArray[np.bool_]
) -> SenseRejection:
    near, far = (
        GroupFigures(rounded(auroc(found.known, found.other[group])), int(group.sum()))
        for group in (is_near, ~is_near)
    )
    return SenseRejection(
        rounded(auroc(found.known, found.other)),
        rounded(fpr_at_95_tpr(found.known, found.other)),
        len(found.other),
        rounded(oscr(found.known, correct, found.other)),
        near,
        far,
    )


def _background_figures(found: Separation) -> SenseRejection:
    return SenseRejection(
        rounded(auroc(found.known, found.other)),
        rounded(fpr_at_95_tpr(found.known, found.other)),
        len(found.other),
    )


def _family(label: str) -> str:
    return label.replace("_", " ").split()[-1].casefold()
