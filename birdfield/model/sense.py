"""Senses: sight, hearing, or both, from which a vector was made."""

from enum import StrEnum


class Sense(StrEnum):
    """A sense, or both. Galleries store the index in this order."""

    IMAGE = "image"
    AUDIO = "audio"
    BOTH = "both"


SENSES = tuple(Sense)
EACH_SENSE = (Sense.IMAGE, Sense.AUDIO)  # the sense of a file or a tower
