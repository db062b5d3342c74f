"""The wall clock beside the monotonic one: a jump of it is noticed, and earlier times corrected."""

from dataclasses import dataclass
from datetime import datetime

JUMP_S = 2.0  # more than slewing or a leap second moves the clock between two windows


@dataclass
class WallClock:
    """Watches what the wall clock shows against time that cannot jump. Not thread-safe.

    Attributes:
        offset_s: The wall clock's seconds less the monotonic clock's, when last seen; None before.
    """

    offset_s: float | None = None

    def take(self, time: datetime, monotonic_s: float) -> float:
        """Compare the clocks once more.

        Args:
            time: By the wall clock, aware.
            monotonic_s: The same moment by the monotonic clock.

        Returns:
            By how many seconds the wall clock jumped since the last call; 0 when it did not.
        """
        before, self.offset_s = self.offset_s, time.timestamp() - monotonic_s
        moved_s = 0.0 if before is None else self.offset_s - before
        return moved_s if abs(moved_s) > JUMP_S else 0.0
