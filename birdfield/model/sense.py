"""Senses: what a vector was made from."""

from enum import StrEnum


class Sense(StrEnum):
    """A sense, or both of them; the order is stored as an index in galleries."""

    IMAGE = "image"
    AUDIO = "audio"
    BOTH = "both"


SENSES = tuple(Sense)
EACH_SENSE = (Sense.IMAGE, Sense.AUDIO)  # a file or a tower has one of these
