"""Visits: windows pooled over time and senses, one visit for one stay of one species."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from birdfield.journal.media import BestMedia
from birdfield.model.encoder import DIM, Vector, unit
from birdfield.model.sense import Sense
from birdfield.recognise.decide import Agreement
from birdfield.settings.bounds import DEFAULT_GAP_S
from birdfield.watch.claims import Claim
from birdfield.watch.window import WINDOW_STEP_S, Window

GAP_S = float(DEFAULT_GAP_S)  # a bird that is neither seen nor heard for longer has left
# Chosen on scenes of held-out files: docs/decisions/0018-field-station.md.
MIN_VISIT_SUPPORT = 1.9  # in certain windows, WINDOW_STEP_S apart: one window alone is no visit
RELEVANT_P = 0.05  # a window with less probability of a species does not concern its visit
DOMINANCE = 0.7  # the share of probability that a species needs against any one other


@dataclass
class Visit:
    """A visit in progress or just ended; its size does not grow with its length.

    Attributes:
        species: The label; None when the windows name different species.
        start_s: The start, in seconds of the scene.
        end_s: The end of the last window that supports the visit.
        support: The sum of the support of its claims, in certain windows.
        score: The highest score of its claims, a probability.
        windows: The number of windows that support it.
        senses: The senses that support it.
        tally: The sum of each species' probabilities over all windows that concern the visit.
        sums: The sum of the tower's vectors, by sense.
        media: The best picture and the best sound.
    """

    species: str | None
    start_s: float
    end_s: float
    support: float = 0.0
    score: float = 0.0
    windows: int = 0
    senses: set[Sense] = field(default_factory=set)
    tally: dict[str, float] = field(default_factory=dict)
    sums: dict[Sense, Vector] = field(default_factory=dict)
    media: BestMedia = field(default_factory=BestMedia)

    @property
    def agreement(self) -> Agreement:
        """Whether both senses support the visit; those of an undecided one disagree."""
        if self.species is None:
            return Agreement.DISAGREE
        return Agreement.AGREE if len(self.senses) > 1 else Agreement.SINGLE

    @property
    def candidates(self) -> tuple[tuple[str, float], ...]:
        """The three likeliest species with their shares of the probability, 0..1."""
        total = sum(self.tally.values())
        ranked = sorted(self.tally.items(), key=lambda item: -item[1])[:3]
        return tuple((species, mass / total) for species, mass in ranked)

    @property
    def vectors(self) -> Mapping[Sense, Vector]:
        """The mean tower vector of each sense, of length 1."""
        return {sense: unit(total) for sense, total in self.sums.items()}

    def rival(self) -> str | None:
        """Return the species over which this one has no sufficient lead, or None."""
        own = self.tally.get(self.species or "", 0.0)
        others = [
            (mass, species) for species, mass in self.tally.items() if species != self.species
        ]
        mass, species = max(others, default=(0.0, ""))
        return species if own < DOMINANCE * (own + mass) else None

    def add(self, claim: Claim, window: Window, keep_sound: bool) -> None:
        """Add a window that claims the species; without `keep_sound`, not the sound's vector."""
        self.end_s = max(self.end_s, window.end_s)
        self.support += claim.support
        self.score = max(self.score, claim.score)
        self.windows += 1
        self.senses.update(claim.senses)
        if Sense.IMAGE in claim.senses and window.seen.image is not None:
            self._add_vector(Sense.IMAGE, window.seen.image)
        if Sense.AUDIO in claim.senses and window.heard.audio is not None and keep_sound:
            self._add_vector(Sense.AUDIO, window.heard.audio)

    def absorb(self, weaker: "Visit") -> None:
        """Add another visit that was by the same bird."""
        self.start_s = min(self.start_s, weaker.start_s)
        for sense, total in weaker.sums.items():
            self._add_vector(sense, total)

    def _add_vector(self, sense: Sense, vector: Vector) -> None:
        self.sums[sense] = self.sums.get(sense, np.zeros(DIM, np.float32)) + vector

    def tally_probabilities(self, top: Sequence[tuple[str, float]]) -> None:
        """Add the probabilities of a window's likeliest species, if it concerns this visit."""
        if dict(top).get(self.species or "", 0.0) >= RELEVANT_P:
            for species, probability in top:
                self.tally[species] = self.tally.get(species, 0.0) + probability


def claim_start_s(claim: Claim, window: Window) -> float:
    """Return the scene time from which a window's bird was present.

    A frame shows the end of its window, while a sound may fill it.
    """
    if Sense.AUDIO in claim.senses:
        return window.start_s
    return max(window.start_s, window.end_s - WINDOW_STEP_S)


class VisitTracker:
    """The visits in progress, one for each species. Not thread-safe."""

    def __init__(self, gap_s: float = GAP_S, step_s: float = WINDOW_STEP_S) -> None:
        """Start without a visit.

        Args:
            gap_s: The absence that ends a visit.
            step_s: The time from one window to the next; a visit needs fewer of longer steps.
        """
        self._gap_s, self._min_support = gap_s, MIN_VISIT_SUPPORT * WINDOW_STEP_S / step_s
        self._open: dict[str, Visit] = {}

    def add(
        self, window: Window, claims: Sequence[Claim], keep_sound: bool = True
    ) -> list[tuple[Visit, Claim]]:
        """Pool the next window, and return the visit of each of its claims."""
        joined = []
        for claim in claims:
            visit = self._open.setdefault(
                claim.species, Visit(claim.species, claim_start_s(claim, window), window.end_s)
            )
            visit.add(claim, window, keep_sound)
            joined.append((visit, claim))
        for claim in claims:
            for visit in self._open.values():
                visit.tally_probabilities(claim.top)
        return joined

    def ended(self, now_s: float) -> list[Visit]:
        """Close the visits whose species has been absent for the gap; return those that count.

        Args:
            now_s: The scene time up to which windows have been added.
        """
        return self._close([v for v in self._open.values() if now_s - v.end_s > self._gap_s])

    def close(self) -> list[Visit]:
        """Close all visits, at the end of the scene; return those that count."""
        return self._close(list(self._open.values()))

    def _close(self, over: list[Visit]) -> list[Visit]:
        counting = []
        for visit in sorted(over, key=lambda each: each.support):
            assert visit.species is not None  # a visit becomes undecided only when it is closed
            del self._open[visit.species]
            rival = visit.rival()
            stronger = self._open.get(rival) if rival else None
            if stronger is not None:
                stronger.absorb(visit)  # one bird under two names: the better supported one stays
                continue
            if visit.support < self._min_support:
                continue
            if rival:
                visit.species = None
            counting.append(visit)
        return sorted(counting, key=lambda each: each.start_s)
