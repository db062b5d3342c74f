"""Visits: the windows of a scene pooled over time and senses, one visit of one species."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from birdfield.journal.media import BestMedia
from birdfield.model.encoder import DIM, Encoder, Vector, unit
from birdfield.model.gallery import Gallery
from birdfield.model.sense import Sense
from birdfield.recognise.decide import Decision, decide
from birdfield.watch.scene import DECISION_S
from birdfield.watch.window import Window

GAP_S = 30.0  # a bird that was neither seen nor heard for so long has left
# These were chosen on scenes of held-out files: docs/decisions/0018-field-station.md.
VISIT_SUPPORT = (
    1.9  # support of a visit, in windows DECISION_S apart that are sure: one alone is none
)
AGREEING_WEIGHT = 2.0  # what a window counts in which sight and sound agree
DISPUTED_WEIGHT = 0.7  # what each of its claims counts where one is seen and another heard
POSSIBLE_P = (
    0.01  # the seen species' probability by sound, among its first three, that is no dispute
)
CLAIM_MIDPOINT = (
    -0.1
)  # the knownness at which an answer counts half: below what is answered at once
CLAIM_SLOPE = 0.05  # of knownness: how far from there it counts 0.27, or 0.73
MIN_SUPPORT = 0.2  # support below which a window says nothing
RELEVANT_P = 0.05  # a species' probability in a window that makes the window a matter of it
DOMINANCE = 0.7  # of the evidence, that a species needs against any other


@dataclass(frozen=True)
class Claim:
    """What one window says: a species, by which senses, how surely.

    Attributes:
        species: The label.
        score: Its probability among the species of the gallery, 0..1.
        weight: How surely it is one of these and not unknown, 0..1, times AGREEING or DISPUTED.
        senses: That say so.
        top: The likeliest species with their probabilities.
    """

    species: str
    score: float
    weight: float
    senses: tuple[str, ...]
    top: tuple[tuple[str, float], ...]

    @property
    def support(self) -> float:
        """What it counts, in windows that are sure."""
        return self.score * self.weight


def claims_of(encoder: Encoder, gallery: Gallery, window: Window) -> list[Claim]:
    """Tell which species a window speaks for: none, one, or one seen and another heard.

    Each sense speaks for itself, and nothing is decided yet: an answer that is not sure enough to
    be given for one window counts less, and many of them make a visit. A sense that is of no
    species known says nothing, and contradicts nobody: two birds may be there. But a sound that is
    possibly the seen bird's tells of no other.
    """
    if window.observation is None:
        return []
    claims = []
    if window.seen.image is not None:
        claims.append(_claim(decide(encoder, gallery, window.seen.image, None)))
    if window.heard.audio is not None:
        claims.append(_claim(decide(encoder, gallery, None, window.heard.audio)))
    claims = [claim for claim in claims if claim.support >= MIN_SUPPORT]
    if len(claims) < 2:
        return claims
    sight, sound = claims
    if sight.species == sound.species:
        surer = max(claims, key=lambda claim: claim.support)
        return [
            replace(surer, weight=AGREEING_WEIGHT * surer.weight, senses=(Sense.IMAGE, Sense.AUDIO))
        ]
    if dict(sound.top).get(sight.species, 0.0) >= POSSIBLE_P:
        return [sight]
    return [replace(claim, weight=DISPUTED_WEIGHT * claim.weight) for claim in claims]


def _claim(decision: Decision) -> Claim:
    weight = (
        1 + math.tanh((decision.margin_over_unknown - CLAIM_MIDPOINT) / (2 * CLAIM_SLOPE))
    ) / 2
    return Claim(decision.top[0][0], decision.score, weight, decision.senses, decision.top)


@dataclass
class Visit:
    """A visit that is going on, or has just ended; its size does not grow with its length.

    Attributes:
        species: What it is a visit of; None once the evidence turned out to conflict.
        start_s: In seconds of the scene.
        end_s: Where the last window that speaks for it ends.
        support: The sum of its claims, in windows that are sure.
        score: Of the surest claim, a probability.
        windows: How many speak for it.
        senses: That do.
        tally: By species, the probabilities of all windows that are a matter of this visit.
        sums: By sense, the sum of the tower's vectors.
        kept: Its best picture and sound.
    """

    species: str | None
    start_s: float
    end_s: float
    support: float = 0.0
    score: float = 0.0
    windows: int = 0
    senses: set[str] = field(default_factory=set)
    tally: dict[str, float] = field(default_factory=dict)
    sums: dict[str, Vector] = field(default_factory=dict)
    kept: BestMedia = field(default_factory=BestMedia)

    @property
    def agreement(self) -> str:
        """Say "agree" when it was seen and heard, "single" by one sense, "disagree" if neither."""
        if self.species is None:
            return "disagree"
        return "agree" if len(self.senses) > 1 else "single"

    @property
    def candidates(self) -> tuple[tuple[str, float], ...]:
        """The three likeliest species with their share of the evidence."""
        total = sum(self.tally.values())
        ranked = sorted(self.tally.items(), key=lambda item: -item[1])[:3]
        return tuple((species, mass / total) for species, mass in ranked)

    @property
    def vectors(self) -> Mapping[str, Vector]:
        """By sense, the mean tower vector, of length 1."""
        return {sense: unit(total) for sense, total in self.sums.items()}

    def rival(self) -> str | None:
        """Name the species that this one does not lead by enough, or None."""
        own = self.tally.get(self.species or "", 0.0)
        others = [
            (mass, species) for species, mass in self.tally.items() if species != self.species
        ]
        mass, species = max(others, default=(0.0, ""))
        return species if own < DOMINANCE * (own + mass) else None

    def add(self, claim: Claim, window: Window, keep_sound: bool) -> None:
        """Take a window that speaks for it; keep_sound allows its sound's vector to be pooled."""
        self.end_s = max(self.end_s, window.end_s)
        self.support += claim.support
        self.score = max(self.score, claim.score)
        self.windows += 1
        self.senses.update(claim.senses)
        for sense, vector in ((Sense.IMAGE, window.seen.image), (Sense.AUDIO, window.heard.audio)):
            if (
                sense in claim.senses
                and vector is not None
                and (sense == Sense.IMAGE or keep_sound)
            ):
                self.sums[sense] = self.sums.get(sense, np.zeros(DIM, np.float32)) + vector

    def absorb(self, weaker: "Visit") -> None:
        """Take another visit that turned out to be the same bird's."""
        self.start_s = min(self.start_s, weaker.start_s)
        for sense, total in weaker.sums.items():
            self.sums[sense] = self.sums.get(sense, np.zeros(DIM, np.float32)) + total

    def weigh(self, top: Sequence[tuple[str, float]]) -> None:
        """Take what a window thinks likeliest, if it is a matter of this visit."""
        if dict(top).get(self.species or "", 0.0) >= RELEVANT_P:
            for species, probability in top:
                self.tally[species] = self.tally.get(species, 0.0) + probability


def first_s(claim: Claim, window: Window) -> float:
    """Tell when a claim's bird was there first: a frame is of the end of its window."""
    return (
        window.start_s
        if Sense.AUDIO in claim.senses
        else max(window.start_s, window.end_s - DECISION_S)
    )


class Visits:
    """The visits that are going on, one a species. Not thread-safe."""

    def __init__(self, gap_s: float = GAP_S, step_s: float = DECISION_S) -> None:
        """Start without any.

        Args:
            gap_s: A visit ends when its species was not there for so long.
            step_s: From one window to the next: where fewer come, fewer are enough.
        """
        self._gap_s, self._enough = gap_s, VISIT_SUPPORT * DECISION_S / step_s
        self._open: dict[str, Visit] = {}

    def take(
        self, window: Window, claims: Sequence[Claim], keep_sound: bool = True
    ) -> list[tuple[Visit, Claim]]:
        """Pool the next window; returns the visit that each of its claims belongs to."""
        joined = []
        for claim in claims:
            visit = self._open.setdefault(
                claim.species, Visit(claim.species, first_s(claim, window), window.end_s)
            )
            visit.add(claim, window, keep_sound)
            joined.append((visit, claim))
        for claim in claims:
            for visit in self._open.values():
                visit.weigh(claim.top)
        return joined

    def ended(self, now_s: float) -> list[Visit]:
        """Close the visits whose species has not been there for the gap; returns those that count.

        Args:
            now_s: Up to where the scene was taken.
        """
        over = [visit for visit in self._open.values() if now_s - visit.end_s > self._gap_s]
        return self._close(over)

    def close(self) -> list[Visit]:
        """Close all, at the end of the scene; returns those that count."""
        return self._close(list(self._open.values()))

    def _close(self, over: list[Visit]) -> list[Visit]:
        counting = []
        for visit in sorted(over, key=lambda each: each.support):
            assert visit.species is not None  # only what has ended is undecided
            del self._open[visit.species]
            rival = visit.rival()
            stronger = self._open.get(rival) if rival else None
            if stronger is not None:
                # One bird under two names: the name with more behind it decides.
                stronger.absorb(visit)
                continue
            if visit.support < self._enough:
                continue
            if rival:
                visit.species = None
            counting.append(visit)
        return sorted(counting, key=lambda each: each.start_s)
