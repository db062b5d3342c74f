"""Overruns: losses of sound and windows, one event for each series of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from birdfield.journal.entries import EventEntry

# The kinds of events, as journals store them.
SOUND_OVERRUN, DROPPED, THROTTLED = "sound overrun", "windows skipped", "windows rested"
BAD_SOUND, BAD_FRAMES = "sound refused", "frames refused"
DETAILS = {
    SOUND_OVERRUN: "times the sound system dropped samples",
    DROPPED: "windows, because processing was late",
    THROTTLED: "windows, because the machine was hot",
    BAD_SOUND: "blocks of sound, because samples were not finite or far beyond full scale",
    BAD_FRAMES: "frames, because they could not be decoded",
}
SERIES_GAP_S = 60.0  # a series ends when so much time passes without another loss
MAX_SERIES_S = 3600.0  # a series that does not end makes an event each hour


@dataclass(frozen=True)
class _Series:
    count: int
    began_s: float
    last_s: float


class EventCoalescer:
    """Joins repeated losses into one event for each series. Not thread-safe."""

    def __init__(self) -> None:
        """Start without a loss."""
        self._counts: dict[str, int] = {}
        self._open: dict[str, _Series] = {}

    def update(self, counts: Mapping[str, int], now: datetime, scene_s: float) -> list[EventEntry]:
        """Compare the counts with those of the last update.

        Args:
            counts: The number of losses since the scene began, by kind.
            now: The wall clock's time.
            scene_s: The scene time, which does not jump.

        Returns:
            The events of the series that have ended, with the start of each as its time.
        """
        for kind, count in counts.items():
            added = count - self._counts.get(kind, 0)
            self._counts[kind] = count
            if added:
                series = self._open.get(kind, _Series(0, scene_s, scene_s))
                self._open[kind] = _Series(series.count + added, series.began_s, scene_s)
        ended = [
            kind
            for kind, series in self._open.items()
            if scene_s - series.last_s >= SERIES_GAP_S or scene_s - series.began_s >= MAX_SERIES_S
        ]
        return [self._close(kind, now, scene_s) for kind in ended]

    def close(self, now: datetime, scene_s: float) -> list[EventEntry]:
        """Return the events of all open series, at the end of the scene."""
        return [self._close(kind, now, scene_s) for kind in list(self._open)]

    def _close(self, kind: str, now: datetime, scene_s: float) -> EventEntry:
        series = self._open.pop(kind)
        # From the present time back, so that the start is right after a jump of the clock, too.
        began = now - timedelta(seconds=scene_s - series.began_s)
        length_s = series.last_s - series.began_s
        detail = f"{series.count} {DETAILS[kind]}, within {length_s:.0f} s"
        return EventEntry(began, kind, detail)
