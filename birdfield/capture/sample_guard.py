"""Sample guard: replaces blocks of live sound that are no sound by silence, and counts them."""

import logging
import math
import time

import numpy as np
from numpy.typing import NDArray

from birdfield.signals.audio import is_sound

SERIES_GAP_S = 60.0  # a block that is refused after this time is logged again

log = logging.getLogger(__name__)


class SampleGuard:
    """Refuses blocks of one microphone; its time goes on, as silence. Not thread-safe.

    A single sample that is not finite would make every later level NaN, and the station deaf.

    Attributes:
        refused: The number of blocks that were refused.
    """

    def __init__(self) -> None:
        """Start without a refusal."""
        self.refused = 0
        self._refused_s = -math.inf

    def check(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a block, or as much silence where it is no sound."""
        if is_sound(block):
            return block
        now_s, before_s = time.monotonic(), self._refused_s
        self.refused, self._refused_s = self.refused + 1, now_s
        if now_s - before_s >= SERIES_GAP_S:
            log.warning(
                "the microphone sends samples that are not finite or far beyond full scale; "
                "blocks with such samples are left out"
            )
        return np.zeros_like(block)
