"""Whether a sound holds a bird at all, by YAMNet's own classes, whatever the frontend."""

import numpy as np
from numpy.typing import NDArray

# Of AudioSet: Bird; Bird vocalization, bird call, bird song; Chirp, tweet; Squawk; Pigeon, dove;
# Coo; Crow; Caw; Owl; Hoot; Bird flight, flapping wings. Then fowl: Fowl; Chicken, rooster; Cluck;
# Crowing, cock-a-doodle-doo; Turkey; Gobble; Duck; Quack; Goose; Honk.
BIRDS = (*range(106, 117), *range(93, 103))
# Speech; Child speech; Conversation; Narration; Babbling; Speech synthesizer; Dog; Bark; Yip; Howl;
# Bow-wow; Growling; Whimper (dog).
VOICES = (0, 1, 2, 3, 4, 5, *range(69, 76))

# Chosen on one half of the sounds of no bird: docs/decisions/0009-no-bird.md.
QUIET = 0.2  # a window none of whose patches scores so high for a bird holds none
LOUD = 0.5  # the score of a voice that is loud
CLEAR = 0.4  # what a bird must score to be heard beside one


def is_background(classes: NDArray[np.float32]) -> bool:
    """Tell whether a window holds no bird: it has no bird class, or only a faint one by a voice.

    Args:
        classes: float32 [T, 521], 0..1, from `Heard.classes`.
    """
    bird = classes[:, BIRDS].max()
    return bool(bird < (CLEAR if classes[:, VOICES].max() >= LOUD else QUIET))
