"""Scene clocks: the time of a scene at real pace, or as fast as files can be processed."""

import threading
import time
from datetime import UTC, datetime, timedelta


class RealClock:
    """Scene time at real pace, from the creation of the clock."""

    def __init__(self, stop: threading.Event) -> None:
        """Start at 0 s; setting `stop` ends every wait."""
        self._stop = stop
        self.origin_s = time.monotonic()

    def now_s(self) -> float:
        """Return the scene time."""
        return time.monotonic() - self.origin_s

    def wait_until(self, scene_s: float) -> None:
        """Wait for a scene time, or until stopped."""
        self._stop.wait(max(scene_s - self.now_s(), 0.0))

    def utc(self, scene_s: float) -> datetime:
        """Return the wall clock's time at a scene time, by the wall clock as it is set now."""
        return datetime.now(UTC) - timedelta(seconds=self.now_s() - scene_s)


class FastClock:
    """Scene time that advances by waiting for it, without delay."""

    origin_s = 0.0

    def __init__(self) -> None:
        """Start at 0 s."""
        self._started = datetime.now(UTC)
        self._now_s = 0.0

    def now_s(self) -> float:
        """Return the scene time."""
        return self._now_s

    def wait_until(self, scene_s: float) -> None:
        """Set the scene time."""
        self._now_s = scene_s

    def utc(self, scene_s: float) -> datetime:
        """Return the wall clock's time at a scene time, as if at real pace."""
        return self._started + timedelta(seconds=scene_s)


SceneClock = RealClock | FastClock
