"""Bird gate: decides by YAMNet's class scores whether a window of sound contains a bird."""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from birdfield.recognise.reason import Figure, Measure

# Indices of AudioSet classes. Bird; Bird vocalization, bird call, bird song; Chirp, tweet; Squawk;
# Pigeon, dove; Coo; Crow; Caw; Owl; Hoot; Bird flight, flapping wings. Then fowl: Fowl; Chicken,
# rooster; Cluck; Crowing, cock-a-doodle-doo; Turkey; Gobble; Duck; Quack; Goose; Honk.
BIRD_CLASSES = (*range(106, 117), *range(93, 103))
# Speech; Child speech; Conversation; Narration; Babbling; Speech synthesizer; Dog; Bark; Yip; Howl;
# Bow-wow; Growling; Whimper (dog).
VOICE_CLASSES = (0, 1, 2, 3, 4, 5, *range(69, 76))

# Chosen on one half of the background sounds: docs/decisions/0009-no-bird.md.
MIN_BIRD_SCORE = 0.2  # 0..1, for the best patch of a window
LOUD_VOICE_SCORE = 0.5  # 0..1, from which a voice can be mistaken for a bird
MIN_BIRD_SCORE_BESIDE_VOICE = 0.4  # 0..1, in place of MIN_BIRD_SCORE beside a loud voice


class BirdGate(Enum):
    """What to do about windows of sound without a bird."""

    OFF = "off"  # do not compute the class scores
    MARK = "mark"  # mark the window as background
    DROP = "drop"  # mark it, and do not run the audio tower


def bird_class(class_scores: NDArray[np.float32]) -> Figure:
    """Return the best score of a class of birds, and the least one of a window with a bird.

    Beside a loud voice, which can be mistaken for a bird, it must be higher.

    Args:
        class_scores: float32 [T, 521], 0..1, from `SoundFeatures.class_scores`.
    """
    loud_voice = class_scores[:, VOICE_CLASSES].max() >= LOUD_VOICE_SCORE
    least = MIN_BIRD_SCORE_BESIDE_VOICE if loud_voice else MIN_BIRD_SCORE
    return Figure(Measure.BIRD_CLASS, float(class_scores[:, BIRD_CLASSES].max()), least)


def is_background(class_scores: NDArray[np.float32]) -> bool:
    """Return whether a window with these class scores is without a bird."""
    return bird_class(class_scores).margin < 0
