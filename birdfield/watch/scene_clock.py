"""Scene clocks: the time of a scene at real pace, or as fast as files can be processed."""

import threading
import time
from datetime import UTC, datetime, timedelta


class RealClock:
    """Scene time at real pace, from the creation of the clock."""

    def __init__(self, stop: threading.Event, began: datetime | None = None) -> None:
        """Start at 0 s; setting `stop` ends every wait.

        Args:
            stop: Ends every wait when it is set.
            began: The aware time at which the files of the scene were recorded; None for now.
        """
        self._stop, self._began = stop, began
        self.origin_s = time.monotonic()

    def now_s(self) -> float:
        """Return the scene time."""
        return time.monotonic() - self.origin_s

    def wait_until(self, scene_s: float) -> None:
        """Wait for a scene time, or until stopped."""
        self._stop.wait(max(scene_s - self.now_s(), 0.0))

    def utc(self, scene_s: float) -> datetime:
        """Return the time at a scene time: of files as recorded, else of the clock as set now."""
        if self._began is not None:
            return past(self._began, scene_s)
        return datetime.now(UTC) - timedelta(seconds=self.now_s() - scene_s)


class FastClock:
    """Scene time that advances by waiting for it, without delay."""

    origin_s = 0.0

    def __init__(self, began: datetime) -> None:
        """Start at 0 s, at the aware time at which the files of the scene were recorded."""
        self._began = began
        self._now_s = 0.0

    def now_s(self) -> float:
        """Return the scene time."""
        return self._now_s

    def wait_until(self, scene_s: float) -> None:
        """Set the scene time."""
        self._now_s = scene_s

    def utc(self, scene_s: float) -> datetime:
        """Return the time at a scene time, as recorded."""
        return past(self._began, scene_s)


def past(began: datetime, scene_s: float) -> datetime:
    """Return the time at a scene time, UTC; never one in the future."""
    return min(began.astimezone(UTC) + timedelta(seconds=scene_s), datetime.now(UTC))


SceneClock = RealClock | FastClock
