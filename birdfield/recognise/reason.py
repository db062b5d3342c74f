"""Reason: why an answer is unknown, and the figure on which a decision hangs."""

from dataclasses import dataclass
from enum import StrEnum

MAX_DECIMALS = 4  # of a figure in text


class Reason(StrEnum):
    """Why an answer is *unknown*."""

    UNLIKE = "unlike"  # too far from each species
    BACKGROUND = "background"  # about as near to background as to a species
    NO_BIRD_CLASS = "no_bird_class"  # YAMNet scores no class of birds in the sound
    UNEXPECTED = "unexpected"  # near enough, but not expected at the place in the week
    EXCLUDED = "excluded"  # by the user's lists of species
    SNOOZED = "snoozed"  # by the user, until a time
    BELOW_THRESHOLD = "below_threshold"  # the score is less than the user asks for


class Measure(StrEnum):
    """What a figure measures."""

    SIMILARITY = "similarity"  # cosine to the nearest species
    LEAD = "lead over background"  # that cosine less the one to background
    BIRD_CLASS = "bird class"  # YAMNet's best score of a class of birds
    SCORE = "score"  # calibrated probability of the species


@dataclass(frozen=True)
class Figure:
    """The figure on which a decision hangs.

    Attributes:
        measure: What it measures.
        value: Its value.
        needed: The least value of a known answer.
    """

    measure: Measure
    value: float
    needed: float

    @property
    def margin(self) -> float:
        """How far the value is above the least one; below 0 the answer is *unknown*."""
        return self.value - self.needed

    def __str__(self) -> str:
        """Return the figure as text, with enough decimals to tell its two numbers apart."""
        decimals = 2
        while decimals < MAX_DECIMALS and f"{self.value:.{decimals}f}" == (
            f"{self.needed:.{decimals}f}"
        ):
            decimals += 1
        return f"{self.measure} {self.value:.{decimals}f}, needs {self.needed:.{decimals}f}"


def clearest(one: Figure | None, other: Figure | None) -> Figure | None:
    """Return the figure with the greater margin; None where one of them decides nothing."""
    if one is None or other is None:
        return None
    return max(one, other, key=lambda figure: figure.margin)


WORDS = {
    Reason.UNLIKE: "too unlike any species",
    Reason.BACKGROUND: "too similar to background",
    Reason.NO_BIRD_CLASS: "no bird class in the sound",
    Reason.UNEXPECTED: "unexpected here",
    Reason.EXCLUDED: "excluded by you",
    Reason.SNOOZED: "snoozed by you",
    Reason.BELOW_THRESHOLD: "below your threshold",
}
OF_SPECIES = (Reason.UNEXPECTED, Reason.EXCLUDED, Reason.SNOOZED, Reason.BELOW_THRESHOLD)


def explain(reason: Reason, species: str) -> str:
    """Return a reason in words.

    Args:
        reason: The reason.
        species: The name of the species that would be answered without it.
    """
    words = WORDS[reason]
    return f"{species} is {words}" if reason in OF_SPECIES else words
