"""Prototypes: what the samples of a species fuse to, on average, for each set of senses."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from birdfield.model.encoder import Vector, Vectors, pool, unit
from birdfield.model.sense import SENSES, Sense

SOUND_PRIOR = 1.0  # recordings that an average sound counts for beside those enrolled
FEW = 5  # photographs: what so few tell of a species is made up for
REACH = 1.1  # length of the prototype of both of a species of few photographs


class Fuse(Protocol):
    """Joins tower vectors, as `birdfield.encoder.Encoder.fuse`."""

    def __call__(self, image: Vector | None, audio: Vector | None) -> Vector:
        """Join them; at least one is given."""


def prototypes_of(fuse: Fuse, images: Vectors, audio: Vectors) -> list[tuple[Sense, Vector]]:
    """Make the prototypes of one species, by senses.

    By one sense, the mean of what its samples fuse to; by both, what its mean photograph and its
    mean sound fuse to. The cosine of a pair to that is late fusion of its own two cosines, but
    for the pair's length (docs/decisions/0002-fusion-in-one-space.md).

    Args:
        fuse: Joins tower vectors, as `Encoder.fuse`.
        images: float32 [N, 128], the species' photographs by the image tower; may be empty.
        audio: float32 [M, 128], its recordings by the audio tower; may be empty.

    Returns:
        Pairs of one of SENSES and a unit vector [128].
    """
    made = {
        Sense.IMAGE: [fuse(vector, None) for vector in images],
        Sense.AUDIO: [fuse(None, vector) for vector in audio],
        Sense.BOTH: [fuse(pool(images), pool(audio))] if len(images) and len(audio) else [],
    }
    return [(sense, unit(np.mean(rows, axis=0))) for sense, rows in made.items() if rows]


def per_photo_prototypes(fuse: Fuse, images: Vectors) -> list[tuple[Sense, Vector]]:
    """Make each photograph a prototype of its own while there are at most FEW.

    The mean of three photographs is further from the others of its species than that of thirty
    is; each by itself is near to some (docs/decisions/0010-few-shot.md).

    Args:
        fuse: Joins tower vectors, as `Encoder.fuse`.
        images: float32 [N, 128], photographs by the image tower.

    Returns:
        Pairs of "image" and a unit vector [128]; none when there are more.
    """
    return [(Sense.IMAGE, fuse(vector, None)) for vector in images] if len(images) <= FEW else []


def lengthen(
    made: list[tuple[Sense, Vector]], photographs: int, reach: float = REACH
) -> list[tuple[Sense, Vector]]:
    """Lengthen the prototype of both of a new species, so that it stands beside those of many.

    The mean of k samples of a class, brought to length 1, has a cosine to another sample that is
    smaller by the root of (r + (1 - r) / k) / r than the mean of very many has, if two samples
    have r (docs/decisions/0010-few-shot.md).

    Args:
        made: From `prototypes_of` or `shrink_to_prior`.
        photographs: How many there were.
        reach: The length up to FEW; above, it falls to 1 as their number grows.

    Returns:
        `made` with another prototype of both, if there is one.
    """
    length = 1 + (reach - 1) * min(1.0, FEW / max(photographs, 1))
    return [
        (sense, vector * np.float32(length) if sense == Sense.BOTH else vector)
        for sense, vector in made
    ]


def shrink_to_prior(
    made: list[tuple[Sense, Vector]],
    recordings: int,
    factory: Vectors,
    senses: NDArray[np.uint8],
    prior: float = SOUND_PRIOR,
) -> list[tuple[Sense, Vector]]:
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
    seen, pairs = (factory[senses == SENSES.index(sense)] for sense in (Sense.IMAGE, Sense.BOTH))
    own = dict(made)
    if Sense.BOTH not in own or not len(seen) or not len(pairs):
        return made
    expected = own[Sense.IMAGE] - seen.mean(axis=0) + pairs.mean(axis=0)
    weight = recordings / (recordings + prior)
    own[Sense.BOTH] = unit(weight * own[Sense.BOTH] + (1 - weight) * expected)
    return list(own.items())
