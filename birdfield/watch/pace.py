"""Pace: which windows of a live scene are processed when time or cooling is short."""

import logging
import math

from birdfield.watch.thermal import HeatMonitor

log = logging.getLogger(__name__)


class WindowPacer:
    """Chooses the next window; of files, every window. Not thread-safe.

    Attributes:
        dropped: The number of windows left out because processing was late.
        throttled: The number of windows left out because the machine was hot.
        reduced: Whether the last choice left out a window.
    """

    def __init__(self, step_s: float, complete_s: float, live: bool) -> None:
        """Start before the first window.

        Args:
            step_s: The time from one window to the next.
            complete_s: The time from the start of a window until all of it has arrived.
            live: Whether the scene is live.
        """
        self._step_s, self._complete_s, self._live = step_s, complete_s, live
        self._heat = HeatMonitor()
        self.dropped = 0
        self.throttled = 0
        self.reduced = False

    def next_index(self, index: int, now_s: float) -> int:
        """Return the number of the next window after a window.

        A live scene that is late continues with its newest complete window, and a hot machine
        leaves out every second window.

        Args:
            index: The number of the window that was processed last.
            now_s: The scene time.
        """
        late = self._late_windows(index, now_s) if self._live else 0
        if late and not self.dropped:
            log.warning(
                "processing takes longer than %g s a window; windows are dropped", self._step_s
            )
        hot = self._live and self._heat.update()
        throttled = int(hot and not late)
        self.dropped += late
        self.throttled += throttled
        self.reduced = hot or late > 0
        return index + 1 + late + throttled

    def _late_windows(self, index: int, now_s: float) -> int:
        newest = math.floor((now_s - self._complete_s) / self._step_s)
        return max(newest - (index + 1), 0)
