"""What a station could not keep up with, told by the stretch and not by the piece."""

from collections.abc import Mapping
from datetime import datetime, timedelta

SOUND, LATE, HOT = "sound overrun", "windows skipped", "windows rested"  # kinds of events
WORDS = {
    SOUND: "times the sound system dropped samples",
    LATE: "windows, as processing was late",
    HOT: "windows, as the machine was hot",
}
CALM_S = 60.0  # without another, after which a stretch is over


class EventCoalescer:
    """Makes one event of what happens again and again. Not thread-safe."""

    def __init__(self) -> None:
        """Start with nothing lost."""
        self._counts: dict[str, int] = {}
        self._open: dict[str, tuple[int, float, float]] = {}  # count, first and last time

    def take(
        self, counts: Mapping[str, int], now: datetime, scene_s: float
    ) -> list[tuple[datetime, str, str]]:
        """Take how often each has happened so far.

        Args:
            counts: By kind of WORDS, since the start.
            now: The time of the record.
            scene_s: The scene's time, which does not jump.

        Returns:
            The events of the stretches that are over: when they began, kind and detail.
        """
        for kind, count in counts.items():
            grown = count - self._counts.get(kind, 0)
            self._counts[kind] = count
            if grown:
                so_far, began_s, _ = self._open.get(kind, (0, scene_s, scene_s))
                self._open[kind] = so_far + grown, began_s, scene_s
        return self._tell(
            [kind for kind, (*_, last_s) in self._open.items() if scene_s - last_s >= CALM_S],
            now,
            scene_s,
        )

    def close(self, now: datetime, scene_s: float) -> list[tuple[datetime, str, str]]:
        """Return the events of those that are still open, at the end of the scene."""
        return self._tell(list(self._open), now, scene_s)

    def _tell(
        self, kinds: list[str], now: datetime, scene_s: float
    ) -> list[tuple[datetime, str, str]]:
        events = []
        for kind in kinds:
            count, began_s, last_s = self._open.pop(kind)
            began = now - timedelta(seconds=scene_s - began_s)  # right also after a clock's jump
            events.append((began, kind, f"{count} {WORDS[kind]}, within {last_s - began_s:.0f} s"))
        return events
