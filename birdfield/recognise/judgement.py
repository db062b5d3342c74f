"""Judgement: whether the nearest species is near enough to be answered, and if not, why."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birdfield.model.gallery import BACKGROUND_LEAD, Gallery
from birdfield.model.sense import SENSES, Sense
from birdfield.recognise.reason import Figure, Measure, Reason


@dataclass(frozen=True)
class Match:
    """The similarities of one vector.

    Attributes:
        gallery: At least one species.
        sense: Senses that the vector was made from.
        plain: float32 [N], from `Gallery.similarities`.
        expected: float32 [N], these with the gallery's `log_prior`.
        background: Similarity to background, from `Gallery.background_similarity`.
    """

    gallery: Gallery
    sense: Sense
    plain: NDArray[np.float32]
    expected: NDArray[np.float32]
    background: float

    def figure(self, row: int, similarities: NDArray[np.float32]) -> Figure:
        """Return what decides whether a species is near enough.

        Its margin is the species' `margin_over_unknown` by these similarities.
        """
        similarity = float(similarities[row])
        threshold = float(self.gallery.thresholds[row, SENSES.index(self.sense)])
        near = Figure(Measure.SIMILARITY, similarity, threshold)
        lead = Figure(Measure.LEAD, similarity - self.background, BACKGROUND_LEAD)
        return lead if lead.margin < min(near.margin, 0) else near


@dataclass(frozen=True)
class Judgement:
    """What follows from a match.

    Attributes:
        reason: Why the answer is *unknown*; None for the nearest species.
        refused: Row of the species that would be answered without the reason, or None.
        figure: The figure on which it hangs.
    """

    reason: Reason | None
    refused: int | None
    figure: Figure


def judge(match: Match, bird: Figure | None) -> Judgement:
    """Judge the nearest species of a match.

    Args:
        match: The similarities.
        bird: The best class of birds in the sound; None where it decides nothing.
    """
    nearest = int(match.expected.argmax())
    figure = match.figure(nearest, match.expected)
    known = figure.margin >= 0
    if bird is not None and bird.margin < 0 and match.sense == Sense.AUDIO:
        return Judgement(Reason.NO_BIRD_CLASS, nearest if known else None, bird)
    if known:
        return Judgement(None, None, figure)
    reason = Reason.BACKGROUND if figure.measure == Measure.LEAD else Reason.UNLIKE
    return _unexpected(match) or Judgement(reason, None, figure)


def _unexpected(match: Match) -> Judgement | None:
    """Return the judgement if only the prior keeps the nearest species from being answered."""
    row = int(match.plain.argmax())
    figure = match.figure(row, match.expected)
    if match.figure(row, match.plain).margin < 0 or figure.margin >= 0:
        return None
    return Judgement(Reason.UNEXPECTED, row, figure)
