"""Prototypes: what the samples of a species fuse to, on average, for each set of senses."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from birdfield.encoder import SENSES, Vector, Vectors, unit

SOUND_PRIOR = 1.0  # recordings that an average sound counts for beside those enrolled
FEW = 5  # photographs of an enrolled species that stand beside their mean, each by itself


class Fuse(Protocol):
    """Joins tower vectors, as `birdfield.encoder.Encoder.fuse`."""

    def __call__(self, image: Vector | None, audio: Vector | None) -> Vector:
        """Join them; at least one is given."""


def prototypes_of(fuse: Fuse, images: Vectors, audio: Vectors) -> list[tuple[str, Vector]]:
    """Make the prototypes of one species: the mean of what its samples fuse to, by senses.

    Args:
        fuse: Joins tower vectors, as `Encoder.fuse`.
        images: float32 [N, 128], the species' photographs by the image tower; may be empty.
        audio: float32 [M, 128], its recordings by the audio tower; may be empty.

    Returns:
        Pairs of one of SENSES and a unit vector [128].
    """
    fused: dict[str, list[Vector]] = {sense: [] for sense in SENSES}
    fused["image"] = [fuse(vector, None) for vector in images]
    fused["audio"] = [fuse(None, vector) for vector in audio]
    if len(images) and len(audio):
        count = max(len(images), len(audio))
        fused["both"] = [fuse(images[row % len(images)], audio[row % len(audio)])
                         for row in range(count)]
    return [(sense, unit(np.mean(rows, axis=0))) for sense, rows in fused.items() if rows]


def seen_alone(fuse: Fuse, images: Vectors, audio: Vectors) -> list[tuple[str, Vector]]:
    """Make each photograph, and its pair, a prototype of its own while there are at most FEW.

    The mean of three photographs is further from the others of its species than that of thirty
    is; each by itself is near to some (docs/decisions/0010-few-shot.md). A recording by itself is
    none.

    Args:
        fuse: Joins tower vectors, as `Encoder.fuse`.
        images: float32 [N, 128], photographs by the image tower.
        audio: float32 [M, 128], recordings by the audio tower.

    Returns:
        Pairs of one of SENSES and a unit vector [128]: N of "image", and N of "both" if M > 0.
    """
    if len(images) > FEW:
        return []
    alone = [("image", fuse(vector, None)) for vector in images]
    return alone + [("both", fuse(vector, audio[row % len(audio)]))
                    for row, vector in enumerate(images) if len(audio)]


def steadied(made: list[tuple[str, Vector]], recordings: int, factory: Vectors,
             senses: NDArray[np.uint8], prior: float = SOUND_PRIOR) -> list[tuple[str, Vector]]:
    """Draw what the pairs of an enrolled species fuse to towards what an average sound would do.

    One or two recordings say little of how a species sounds; taken at their word they make pairs
    worse than photographs alone (docs/decisions/0010-few-shot.md). The prototype of both becomes
    the mean of itself, weighing `recordings`, and of the photographs' prototype moved by the way
    from the factory's photographs to its pairs, weighing `prior`.

    Args:
        made: From `prototypes_of`.
        recordings: How many there were.
        factory: float32 [M, 128], the prototypes of the bundle.
        senses: uint8 [M], the index in SENSES of each.
        prior: In recordings.

    Returns:
        `made` with another prototype of both; unchanged when it has none, or the factory none.
    """
    seen, pairs = (factory[senses == SENSES.index(sense)] for sense in ("image", "both"))
    own = dict(made)
    if "both" not in own or not len(seen) or not len(pairs):
        return made
    expected = own["image"] - seen.mean(axis=0) + pairs.mean(axis=0)
    weight = recordings / (recordings + prior)
    own["both"] = unit(weight * own["both"] + (1 - weight) * expected)
    return list(own.items())
