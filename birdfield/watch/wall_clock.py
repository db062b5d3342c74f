"""Wall clock: detects its jumps by clocks that cannot jump, and the sleep of the machine."""

import time
from collections.abc import Callable

from birdfield.watch.window import Window

JUMP_S = 2.0  # neither slewing nor a leap second moves the clock so far between two windows


def slept_s() -> float:
    """Return the seconds that the machine has slept since it started, its monotonic clock halted.

    The value is 0 on a system without CLOCK_BOOTTIME.
    """
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return 0.0 if clock is None else time.clock_gettime(clock) - time.monotonic()


def boot_offset_s() -> float:
    """Return the wall clock's seconds less the seconds since the machine started."""
    return time.time() - time.monotonic() - slept_s()


class ClockMonitor:
    """Compares the wall clock with scene time, window by window. Not thread-safe."""

    def __init__(self, offset_s: Callable[[], float] = boot_offset_s) -> None:
        """Start before the first window; `offset_s` works as `boot_offset_s` does."""
        self.offset_s = offset_s
        self._session_offset_s = 0.0
        self._scene_offset_s: float | None = None  # of the last window: wall less scene time
        self._slept_s = 0.0

    def start(self) -> None:
        """Begin a session: remember the present offset."""
        self._session_offset_s = self.offset_s()

    def has_slept(self, window: Window) -> bool:
        """Return whether the machine has slept between the last window and this one."""
        return self._scene_offset_s is not None and window.slept_s - self._slept_s > JUMP_S

    def jump_s(self, window: Window) -> float:
        """Return the jump of the wall clock since the last window; 0 when there was none.

        Before the first window the jump is since the start of the session: a clock is often set
        while a machine starts.
        """
        before_s = self._scene_offset_s
        self._slept_s = window.slept_s
        self._scene_offset_s = window.time.timestamp() - (window.end_s + window.slept_s)
        jump_s = (
            self.offset_s() - self._session_offset_s
            if before_s is None
            else self._scene_offset_s - before_s
        )
        return jump_s if abs(jump_s) > JUMP_S else 0.0
