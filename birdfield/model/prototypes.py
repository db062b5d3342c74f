"""Prototypes: fuses the samples of a species into a few vectors, for each set of senses."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from birdfield.model.encoder import Vector, Vectors, pool, unit
from birdfield.model.sense import SENSES, Sense

SOUND_PRIOR = 1.0  # weight of the prior of an enrolled species' sound, in recordings
FEW_PHOTOS = 5  # photographs up to which an enrolled species gets the corrections below
MAX_LENGTH = 1.1  # length of the prototype of both senses, for at most FEW_PHOTOS photographs

Prototype = tuple[Sense, Vector]  # the senses of the samples, and a vector [128]


class Fuse(Protocol):
    """The interface of `Encoder.fuse`."""

    def __call__(self, image: Vector | None, audio: Vector | None) -> Vector:
        """Join tower vectors in the species space; at least one is not None."""


def prototypes_of(fuse: Fuse, images: Vectors, audio: Vectors) -> list[Prototype]:
    """Return one unit prototype of a species for each set of senses that its samples allow.

    For one sense it is the mean of the fused samples; for both, the fusion of the mean photograph
    and the mean sound. The cosine of a pair to the latter is late fusion of the pair's own two
    cosines, but for the pair's length (docs/decisions/0002-fusion-in-one-space.md).

    Args:
        fuse: The model's `Encoder.fuse`.
        images: float32 [N, 128], photographs of the species by the image tower; may be empty.
        audio: float32 [M, 128], recordings of the species by the audio tower; may be empty.
    """
    fused = {
        Sense.IMAGE: [fuse(vector, None) for vector in images],
        Sense.AUDIO: [fuse(None, vector) for vector in audio],
        Sense.BOTH: [fuse(pool(images), pool(audio))] if len(images) and len(audio) else [],
    }
    return [(sense, unit(np.mean(rows, axis=0))) for sense, rows in fused.items() if rows]


def per_photo_prototypes(fuse: Fuse, images: Vectors) -> list[Prototype]:
    """Return a prototype for each of at most FEW_PHOTOS photographs; none when there are more.

    The mean of three photographs is farther from other photographs of the species than the mean
    of thirty, but some single photograph is near (docs/decisions/0010-few-shot.md).

    Args:
        fuse: The model's `Encoder.fuse`.
        images: float32 [N, 128], photographs of the species by the image tower.
    """
    if len(images) > FEW_PHOTOS:
        return []
    return [(Sense.IMAGE, fuse(vector, None)) for vector in images]


def lengthen(
    prototypes: list[Prototype], photographs: int, max_length: float = MAX_LENGTH
) -> list[Prototype]:
    """Lengthen the prototype of both senses of a species with few photographs.

    If two samples of a class have a mean cosine of r, the unit mean of k samples has a cosine to
    another sample that is smaller, by the factor sqrt(r / (r + (1 - r) / k)), than that of very
    many samples (docs/decisions/0010-few-shot.md). The length makes up for it.

    Args:
        prototypes: Prototypes of a species that the bundle does not have.
        photographs: Number of its photographs.
        max_length: Length for at most FEW_PHOTOS photographs; with more it approaches 1.

    Returns:
        The prototypes, with that of both senses lengthened.
    """
    length = 1 + (max_length - 1) * min(1.0, FEW_PHOTOS / max(photographs, 1))
    return [
        (sense, vector * np.float32(length) if sense == Sense.BOTH else vector)
        for sense, vector in prototypes
    ]


def shrink_to_prior(
    prototypes: list[Prototype],
    recordings: int,
    factory: Vectors,
    senses: NDArray[np.uint8],
    prior: float = SOUND_PRIOR,
) -> list[Prototype]:
    """Shrink the prototype of both senses of an enrolled species towards that of an average sound.

    One or two recordings represent the sound of a species so badly that pairs would be recognised
    less often than photographs alone (docs/decisions/0010-few-shot.md). The prior is the species'
    prototype of photographs, moved by the mean difference between the factory's prototypes of both
    senses and those of photographs.

    Args:
        prototypes: Prototypes of the species, from `prototypes_of`.
        recordings: Number of its recordings, the weight of its own prototype.
        factory: float32 [M, 128], prototypes of the bundle.
        senses: uint8 [M], the index in SENSES of each of these.
        prior: Weight of the prior, in recordings.

    Returns:
        The prototypes, with that of both senses shrunk; unchanged when the species or the bundle
        has none of both.
    """
    seen, both = (factory[senses == SENSES.index(sense)] for sense in (Sense.IMAGE, Sense.BOTH))
    own = dict(prototypes)
    if Sense.BOTH not in own or not len(seen) or not len(both):
        return prototypes
    expected = own[Sense.IMAGE] - seen.mean(axis=0) + both.mean(axis=0)
    weight = recordings / (recordings + prior)
    own[Sense.BOTH] = unit(weight * own[Sense.BOTH] + (1 - weight) * expected)
    return list(own.items())
