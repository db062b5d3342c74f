"""Pairs: draws pairs of a photograph and a recording, and fuses them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from birdfield.model.encoder import DIM, Vectors
from birdfield.model.prototypes import Fuse
from birdfield.model.sense import Sense

PAIRS_PER_SPECIES = 20  # at most, all distinct


@dataclass(frozen=True)
class LabelledEmbeddings:
    """The embeddings of one sense's files.

    Attributes:
        vectors: float32 [N, 128], unit, one for each file.
        labels: int64 [N], the index of each species.
        recordings: int64 [N], the recording, or the photograph, behind each file.
    """

    vectors: Vectors
    labels: NDArray[np.int64]
    recordings: NDArray[np.int64]


class Pairs(NamedTuple):
    """Pairs of a photograph and a recording: their rows, int64 [P] each."""

    images: NDArray[np.int64]
    audio: NDArray[np.int64]


def draw_pairs(images: LabelledEmbeddings, audio: LabelledEmbeddings, seed: int) -> Pairs:
    """Draw up to PAIRS_PER_SPECIES distinct pairs of each species at random."""
    rng = np.random.default_rng(seed)
    image_rows: list[int] = []
    audio_rows: list[int] = []
    for label in np.intersect1d(images.labels, audio.labels):
        seen = np.flatnonzero(images.labels == label)
        heard = np.flatnonzero(audio.labels == label)
        total = len(seen) * len(heard)
        for pair in rng.choice(total, min(PAIRS_PER_SPECIES, total), replace=False):
            image_rows.append(int(seen[pair // len(heard)]))
            audio_rows.append(int(heard[pair % len(heard)]))
    return Pairs(np.array(image_rows, np.int64), np.array(audio_rows, np.int64))


def pair_at_random(images: int, audio: int, rng: np.random.Generator) -> Pairs:
    """Pair this many photographs and recordings at random, each at least once."""
    pairs = max(images, audio) if images and audio else 0
    return Pairs(*(np.resize(rng.permutation(count), pairs) for count in (images, audio)))


def fuse_senses(fuse: Fuse, images: Vectors, audio: Vectors, pairs: Pairs) -> dict[Sense, Vectors]:
    """Fuse photographs [N, 128], recordings [M, 128] and pairs of them [P, 128], by sense."""
    return {
        Sense.IMAGE: fuse_rows(fuse, images, None),
        Sense.AUDIO: fuse_rows(fuse, None, audio),
        Sense.BOTH: fuse_rows(fuse, images[pairs.images], audio[pairs.audio]),
    }


def fuse_rows(fuse: Fuse, images: Vectors | None, audio: Vectors | None) -> Vectors:
    """Fuse tower embeddings row by row; either side may be None. Return float32 [N, 128]."""
    count = len(images if images is not None else audio if audio is not None else ())
    rows = [
        fuse(None if images is None else images[row], None if audio is None else audio[row])
        for row in range(count)
    ]
    return np.array(rows, np.float32).reshape(count, DIM)
