"""The disk: evidence is deleted by age, size and free space, and not written when there is none."""

import json
import logging
import math
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from birdfield.journal.database import Journal, utc_text
from birdfield.journal.media import remove_evidence

KEEP_FREE = 500_000_000  # bytes
KEEP_BEST = 10  # visits of each species
AT_ONCE = 200  # visits whose evidence is deleted in one go: recognition waits meanwhile
RESUME = 1.1  # times the free space that is kept, before evidence is written again
LEAST_FREE = 1_000_000  # bytes that a visit's files may take: less is full, whatever is asked
SLACK = 0.99  # of the greatest size is left when it was passed: who is best is seldom asked
AGE_PERIOD = timedelta(hours=1)  # between looks for what is too old

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retention:
    """How much evidence is kept. The rows of visits are always.

    Attributes:
        days: Evidence older than that goes; None for any age.
        size: Bytes of evidence; None for any.
        free: Bytes that stay free on the disk.
        best: Of each species, the evidence of so many visits stays whatever else.
    """

    days: float | None = None
    size: int | None = None
    free: int = KEEP_FREE
    best: int = KEEP_BEST


def free_bytes(folder: Path) -> int:
    """Return what a user may still write to a folder's file system; 0 where it is gone."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return 0
    return status.f_bavail * status.f_frsize


class Disk:
    """Keeps a journal's evidence within its bounds. Not thread-safe.

    Attributes:
        paused: Whether there is no room for evidence now.
    """

    def __init__(
        self, journal: Journal, retention: Retention, free: Callable[[Path], int] = free_bytes
    ) -> None:
        """Watch over a journal's evidence; free tells what is left on the disk."""
        self._journal, self._retention, self._free = journal, retention, free
        self._wanted = max(retention.free, LEAST_FREE)
        self.paused = False
        self._aged: datetime | None = None  # when nothing too old was left

    def check(self, now: datetime) -> str | None:
        """Delete what is over the bounds, and see whether there is room.

        Returns:
            "disk full" or "disk has room" when that has changed, else None.

        Raises:
            sqlite3.Error: When the journal cannot be written.
        """
        with suppress(sqlite3.Error):  # deleting comes first where not even this has room
            self._journal.shrink()
        self.purge(now)
        wanted = self._wanted * (RESUME if self.paused else 1)
        return self._pause(self._free(self._journal.folder) < wanted)

    @property
    def short(self) -> bool:
        """Whether less is free than is to stay free."""
        return self._free(self._journal.folder) < self._wanted

    def full(self) -> str | None:
        """Note that a write failed for want of room; returns "disk full" unless that is known."""
        return self._pause(True)

    def _pause(self, paused: bool) -> str | None:
        if paused == self.paused:
            return None
        self.paused = paused
        left = self._free(self._journal.folder) / 1e6
        if paused:
            log.error(
                "disk full: %.0f MB are free, %.0f MB are to stay free; recognition goes on, "
                "but no picture or sound is kept",
                left,
                self._wanted / 1e6,
            )
        else:
            log.warning("disk has room again: %.0f MB are free; pictures and sounds are kept", left)
        return "disk full" if paused else "disk has room"

    def purge(self, now: datetime) -> int:
        """Delete evidence until the bounds are kept, the oldest first; returns of how many visits.

        Raises:
            sqlite3.Error: When the journal does not take it.
        """
        count = 0
        size = self._size()
        most = math.inf if self._retention.size is None else self._retention.size
        aged = self._retention.days is not None and not self._looked(now)
        if not (aged or size > most or self.short):
            return 0  # who is among the best is asked of the whole journal
        if size > most:
            most *= SLACK
        for visit, started, paths, bytes_ in self._disposable():
            if not (size > most or self._too_old(started, now) or self.short):
                break
            remove_evidence(self._journal.folder, paths)
            with self._journal.transaction() as database:
                database.execute(
                    "UPDATE evidence SET deleted = ? WHERE visit = ? AND deleted IS NULL",
                    (utc_text(now), visit),
                )
            size -= bytes_
            count += 1
        if count < AT_ONCE:
            self._aged = now
        if count:
            log.info(
                "the pictures and sounds of %d visits were deleted to keep within bounds", count
            )
        return count

    def _looked(self, now: datetime) -> bool:
        """Tell whether what is too old was looked for within an hour, by a clock that may jump."""
        return self._aged is not None and abs(now - self._aged) < AGE_PERIOD

    def _too_old(self, started: str, now: datetime) -> bool:
        days = self._retention.days
        return days is not None and started < utc_text(now - timedelta(days=days))

    def _size(self) -> int:
        row = self._journal.database.execute(
            "SELECT total(bytes) FROM evidence WHERE deleted IS NULL"
        ).fetchone()
        return int(row[0])

    def _disposable(self) -> Iterator[tuple[int, str, list[str], int]]:
        """List visits with evidence that are not among their species' best, the oldest first.

        The best are those seen and heard, then by score, then by length.
        """
        rows = self._journal.database.execute(
            "WITH kept AS (SELECT visit, sum(bytes) AS bytes, json_group_array(path) AS paths "
            "              FROM evidence WHERE deleted IS NULL GROUP BY visit), "
            "ranked AS (SELECT visits.id, started, species, bytes, paths, row_number() OVER ("
            "           PARTITION BY species ORDER BY agreement = 'agree' DESC, score DESC, "
            "           windows DESC, id DESC) AS place FROM visits JOIN kept ON visit = visits.id)"
            "SELECT id, started, paths, bytes FROM ranked WHERE place > ? OR species IS NULL "
            "ORDER BY started LIMIT ?",
            (self._retention.best, AT_ONCE),
        ).fetchall()
        for row in rows:
            yield row["id"], row["started"], json.loads(row["paths"]), row["bytes"]
