"""Claims: the species that a window supports, each with its senses and its weight."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from birdfield.model.encoder import Encoder
from birdfield.model.gallery import Gallery
from birdfield.model.sense import EACH_SENSE, Sense
from birdfield.recognise.decide import Decision, decide
from birdfield.watch.window import Window

# Chosen on scenes of held-out files: docs/decisions/0018-field-station.md.
AGREEING_WEIGHT = 2.0  # factor of a claim in which sight and sound agree
DISPUTED_WEIGHT = 0.7  # factor of each claim when sight and sound name different species
COMPATIBLE_P = 0.01  # by sound, the probability of the seen species that makes it no dispute
CLAIM_MIDPOINT = -0.1  # margin over unknown at which a claim has half its weight
CLAIM_SLOPE = 0.05  # distance from the midpoint, as a margin, at which the weight is 0.27 or 0.73
MIN_CLAIM_SUPPORT = 0.2  # a window with less support for a species makes no claim


@dataclass(frozen=True)
class Claim:
    """A species that a window supports.

    Attributes:
        species: The label.
        score: The probability of the species among all of the gallery, 0..1.
        weight: The confidence that the bird is not unknown, 0..1, times AGREEING_WEIGHT or
            DISPUTED_WEIGHT where one of them applies.
        senses: The senses that support the species.
        top: The likeliest species with their probabilities.
    """

    species: str
    score: float
    weight: float
    senses: tuple[Sense, ...]
    top: tuple[tuple[str, float], ...]

    @property
    def support(self) -> float:
        """The support for the species, in certain windows."""
        return self.score * self.weight


def window_claims(encoder: Encoder, gallery: Gallery, window: Window) -> list[Claim]:
    """Return the claims of a window: none, one, or two when different birds are seen and heard.

    Each sense is decided alone, and not only answers above the threshold count: an uncertain
    claim has less weight, and many of them make a visit. A sense that is far from all species
    makes no claim and does not contradict the other, as two birds may be present. A sound that is
    possibly the seen bird's does not claim another species.
    """
    if window.observation is None:
        return []
    claims = []
    if window.seen.image is not None:
        claims.append(_claim(decide(encoder, gallery, window.seen.image, None)))
    if window.heard.audio is not None:
        claims.append(_claim(decide(encoder, gallery, None, window.heard.audio)))
    return _combine([claim for claim in claims if claim.support >= MIN_CLAIM_SUPPORT])


def _claim(decision: Decision) -> Claim:
    distance = (decision.margin_over_unknown - CLAIM_MIDPOINT) / CLAIM_SLOPE
    weight = (1 + math.tanh(distance / 2)) / 2  # the logistic function
    return Claim(decision.top[0][0], decision.score, weight, decision.senses, decision.top)


def _combine(claims: Sequence[Claim]) -> list[Claim]:
    """Weigh the claims of sight and sound, in this order, against each other."""
    if len(claims) < 2:
        return list(claims)
    sight, sound = claims
    if sight.species == sound.species:
        surer = max(claims, key=lambda claim: claim.support)
        return [replace(surer, weight=AGREEING_WEIGHT * surer.weight, senses=EACH_SENSE)]
    if dict(sound.top).get(sight.species, 0.0) >= COMPATIBLE_P:
        return [sight]
    return [replace(claim, weight=DISPUTED_WEIGHT * claim.weight) for claim in claims]
