"""Toy aviary: generated data of six invented species, for tests and for a first try."""

from birdfield_train.toy_aviary.dataset import SPECIES, draw_bird, write_dataset
from birdfield_train.toy_aviary.scene import write_scene
from birdfield_train.toy_aviary.sheet import contact_sheet, spectrogram
from birdfield_train.toy_aviary.songs import sing, song

__all__ = [
    "SPECIES",
    "contact_sheet",
    "draw_bird",
    "sing",
    "song",
    "spectrogram",
    "write_dataset",
    "write_scene",
]
