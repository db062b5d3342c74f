"""Whether a model knows what it does not know: species it never met, and what is no bird."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError, shorten_list
from birdfield.evaluate.files import EmbeddedFiles
from birdfield.evaluate.metrics import auroc, fpr_at_95_tpr, oscr, rounded
from birdfield.evaluate.pairs import Embedded, draw_pairs, fuse_senses, pair_at_random
from birdfield.evaluate.scores import Scored
from birdfield.model.gallery import Gallery, margin_of_vectors, margin_over_unknown
from birdfield.model.prototypes import Fuse
from birdfield.model.sense import Sense
from birdfield.model.species import fold
from birdfield.recognise.dataset import Dataset, scan

MIN_SPECIES = 10  # unknown ones with both senses, for a figure by both


def scan_unknown(labels: Sequence[str], image_dir: Path, audio_dir: Path) -> Dataset:
    """List two folders of species folders, none of them a species of the gallery.

    Args:
        labels: Of the gallery.
        image_dir: Photographs, a folder a species.
        audio_dir: Recordings, a folder a species.

    Raises:
        InputError: When a folder is missing, or the gallery holds one of the species.
    """
    dataset = scan(image_dir, audio_dir)
    folded = set(map(fold, labels))
    known = [label for label in dataset.labels if fold(label) in folded]
    if known:
        raise InputError(
            f"the model knows {shorten_list(known)} of {image_dir} and {audio_dir}; "
            "--unknown expects species that it does not know; leave their folders out"
        )
    return dataset


@dataclass(frozen=True)
class Separation:
    """How known birds and what is none of them score by one sense.

    Attributes:
        known: float32 [N], knownness, of the test files.
        strange: float32 [M], of the strangers.
    """

    known: NDArray[np.float32]
    strange: NDArray[np.float32]


def pair_unknown(
    files: EmbeddedFiles, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair photographs and recordings of one unknown species; returns rows, int64 [P] each."""
    return draw_pairs(files.images, files.audio, seed)


def pair_background(
    files: EmbeddedFiles, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair what is no bird at random; no pairs when a sense is missing. Rows, int64 [P] each."""
    return pair_at_random(
        len(files.image_paths), len(files.audio_paths), np.random.default_rng(seed)
    )


def separate(
    fuse: Fuse,
    scored: Scored,
    files: EmbeddedFiles,
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> dict[Sense, Separation]:
    """Give the scores behind the figures, by sense, to draw curves of.

    Args:
        fuse: Joins tower vectors.
        scored: The known.
        files: The strangers.
        pairs: Of the strangers, from `pair_unknown` or `pair_background`.
    """
    left, right = pairs
    strange = _scores(fuse, scored.gallery, files.images, left, files.audio, right)
    return {
        sense: Separation(_known(scored, sense)[0], scores) for sense, scores in strange.items()
    }


def measure_unknown(
    fuse: Fuse, scored: Scored, files: EmbeddedFiles, labels: Sequence[str], seed: int = 0
) -> dict[str, Any]:
    """Tell the test files from those of unknown species, by knownness.

    Near are species whose last word of the name a species of the gallery shares ("Coal Tit" and
    "Great Tit"), far all others (after Vaze et al., ICLR 2022, 5).

    Args:
        fuse: Joins tower vectors.
        scored: The known: the test files, and their pairs.
        files: The unknown, labelled by their place in `labels`.
        labels: Of the unknown species.
        seed: Of the pairing of photographs and recordings within a species.

    Returns:
        The documented JSON form; "both" is absent, and "both_reason" says why, when fewer than
        MIN_SPECIES species have both senses.
    """
    families = {_family(label) for label in scored.gallery.labels}
    near = np.array([_family(label) in families for label in labels], bool)
    left, right = pair_unknown(files, seed)
    pairs = _scores(fuse, scored.gallery, files.images, left, files.audio, right)
    rows = {
        Sense.IMAGE: files.images.labels,
        Sense.AUDIO: files.audio.labels,
        Sense.BOTH: files.images.labels[left],
    }
    figures: dict[str, Any] = {}
    for sense, scores in pairs.items():
        known, correct = _known(scored, sense)
        is_near = near[rows[sense]]
        figures[sense] = {
            **_separation(known, scores),
            "oscr": rounded(oscr(known, correct, scores)),
            "near": _part(known, scores[is_near]),
            "far": _part(known, scores[~is_near]),
        }
    species = len(np.unique(rows[Sense.BOTH]))
    if species < MIN_SPECIES:
        del figures[Sense.BOTH]
        figures["both_reason"] = (
            f"{species} unknown species with both photographs and "
            f"recordings; expected at least {MIN_SPECIES}"
        )
    return figures


def measure_background(
    fuse: Fuse, scored: Scored, files: EmbeddedFiles, seed: int = 0
) -> dict[str, Any]:
    """Tell the test files from photographs and recordings without a bird, by knownness.

    Each such file is in a pair, or in several where its sense has fewer files.

    Args:
        fuse: Joins tower vectors.
        scored: The known: the test files, and their pairs.
        files: What is no bird.
        seed: Of the pairing.

    Returns:
        The documented JSON form; "both" is absent, and "both_reason" says why, when a sense has
        no usable file.
    """
    left, right = pair_background(files, seed)
    scores = _scores(fuse, scored.gallery, files.images, left, files.audio, right)
    figures: dict[str, Any] = {
        sense: _separation(_known(scored, sense)[0], found) for sense, found in scores.items()
    }
    if not len(left):
        del figures[Sense.BOTH]
        figures["both_reason"] = "no usable file of one sense; expected some of both"
    return figures


def _scores(
    fuse: Fuse,
    gallery: Gallery,
    images: Embedded,
    left: NDArray[np.int64],
    audio: Embedded,
    right: NDArray[np.int64],
) -> dict[Sense, NDArray[np.float32]]:
    """Return the knownness of photographs, recordings and the given pairs of them."""
    fused = fuse_senses(fuse, images.vectors, audio.vectors, left, right)
    return {sense: margin_of_vectors(vectors, gallery, sense) for sense, vectors in fused.items()}


def _known(scored: Scored, sense: Sense) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    scores = getattr(scored, sense)
    return margin_over_unknown(
        scores.similarities, scores.background_similarities, scored.gallery, sense
    ), scores.correct


def _separation(known: NDArray[np.float32], unknown: NDArray[np.float32]) -> dict[str, Any]:
    return {
        "auroc": rounded(auroc(known, unknown)),
        "fpr95": rounded(fpr_at_95_tpr(known, unknown)),
        "n": len(unknown),
    }


def _part(known: NDArray[np.float32], unknown: NDArray[np.float32]) -> dict[str, Any]:
    return {"auroc": rounded(auroc(known, unknown)), "n": len(unknown)}


def _family(label: str) -> str:
    return label.replace("_", " ").split()[-1].casefold()
