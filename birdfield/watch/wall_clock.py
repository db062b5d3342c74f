"""The wall clock beside the monotonic one: a jump of it is noticed, and earlier times corrected."""

import time
from dataclasses import dataclass
from datetime import datetime

JUMP_S = 2.0  # more than slewing or a leap second moves the clock between two windows


def slept_s() -> float:
    """Return for how long the machine has slept since it started: its monotonic clock stood still.

    0 where the system has no clock that tells.
    """
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return 0.0 if clock is None else time.clock_gettime(clock) - time.monotonic()


@dataclass
class WallClock:
    """Watches what the wall clock shows against time that cannot jump. Not thread-safe.

    Attributes:
        offset_s: The wall clock's seconds less the steady ones, when last seen; None before.
    """

    offset_s: float | None = None

    def take(self, time: datetime, steady_s: float) -> float:
        """Compare the clocks once more.

        Args:
            time: By the wall clock, aware.
            steady_s: The same moment by a clock that cannot jump, and does not stand still.

        Returns:
            By how many seconds the wall clock jumped since the last call; 0 when it did not.
        """
        before, self.offset_s = self.offset_s, time.timestamp() - steady_s
        moved_s = 0.0 if before is None else self.offset_s - before
        return moved_s if abs(moved_s) > JUMP_S else 0.0
