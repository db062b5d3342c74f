"""Retention: deletes evidence by age, size and free space, and pauses it on a full disk."""

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

from birdfield.journal.database import Journal
from birdfield.journal.media import remove_evidence
from birdfield.journal.times import utc_text
from birdfield.settings.bounds import DEFAULT_KEEP_BEST, DEFAULT_KEEP_FREE_GB

KEEP_FREE_BYTES = round(DEFAULT_KEEP_FREE_GB * 1e9)
KEEP_BEST = DEFAULT_KEEP_BEST  # visits of each species
BATCH = 200  # visits whose evidence one purge deletes: recognition waits meanwhile
RESUME_FACTOR = 1.1  # times the space that stays free: evidence is written again from there on
MIN_FREE_BYTES = 1_000_000  # room for the files of one visit, also if no space is to stay free
SIZE_MARGIN = 0.99  # of the size limit is left by a purge, so that the next one is not soon
AGE_CHECK_PERIOD = timedelta(hours=1)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retention:
    """The limits of evidence. The rows of visits are kept always.

    Attributes:
        max_days: The age in days above which evidence is deleted; None for no limit.
        max_bytes: The size of all evidence; None for no limit.
        min_free_bytes: The space that stays free on the disk.
        best: The number of visits of each species whose evidence is never deleted.
    """

    max_days: float | None = None
    max_bytes: int | None = None
    min_free_bytes: int = KEEP_FREE_BYTES
    best: int = KEEP_BEST


def free_bytes(folder: Path) -> int:
    """Return the space that a user may write to a folder's file system; 0 if it is gone."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return 0
    return status.f_bavail * status.f_frsize


class DiskGuard:
    """A guard that keeps a journal's evidence within its limits. Not thread-safe.

    Attributes:
        paused: Whether there is no room for evidence now.
    """

    def __init__(
        self,
        journal: Journal,
        retention: Retention,
        measure_free: Callable[[Path], int] = free_bytes,
    ) -> None:
        """Guard a journal.

        Args:
            journal: A journal open for writing.
            retention: The limits.
            measure_free: Returns the free space of a folder's file system, in bytes.
        """
        self._journal, self._retention, self._measure_free = journal, retention, measure_free
        self._min_free = max(retention.min_free_bytes, MIN_FREE_BYTES)
        self.paused = False
        self._age_checked: datetime | None = None  # when no evidence above the age was left

    def check(self, now: datetime) -> str | None:
        """Delete evidence above the limits, and pause or resume by the free space.

        Returns:
            "disk full" or "disk has room" if that has changed, else None.

        Raises:
            sqlite3.Error: If the journal cannot be written.
        """
        with suppress(sqlite3.Error):  # on a full disk this fails, and the purge makes room
            self._journal.shrink()
        self.purge(now)
        min_free = self._min_free * (RESUME_FACTOR if self.paused else 1)
        return self._pause(self._free() < min_free)

    @property
    def short(self) -> bool:
        """Whether less space is free than should stay free."""
        return self._free() < self._min_free

    def note_full(self) -> str | None:
        """Pause after a write failed for want of room; return "disk full" if that is new."""
        return self._pause(True)

    def _free(self) -> int:
        return self._measure_free(self._journal.folder)

    def _pause(self, paused: bool) -> str | None:
        if paused == self.paused:
            return None
        self.paused = paused
        free_mb = self._free() / 1e6
        if paused:
            log.error(
                "disk full: %.0f MB are free, of %.0f MB that should stay free; recognition "
                "continues without keeping pictures and sounds",
                free_mb,
                self._min_free / 1e6,
            )
            return "disk full"
        log.warning("disk has room again: %.0f MB are free; pictures and sounds are kept", free_mb)
        return "disk has room"

    def purge(self, now: datetime) -> int:
        """Delete the oldest evidence until it is within the limits.

        Returns:
            The number of visits whose evidence was deleted.

        Raises:
            sqlite3.Error: If the journal cannot be written.
        """
        size = self._size()
        max_bytes = math.inf if self._retention.max_bytes is None else self._retention.max_bytes
        age_due = self._retention.max_days is not None and not self._age_was_checked(now)
        if not (age_due or size > max_bytes or self.short):
            return 0  # without the query for the best visits, which reads the whole journal
        if size > max_bytes:
            max_bytes *= SIZE_MARGIN
        count = 0
        for old in self._deletable():
            if not (size > max_bytes or self._too_old(old.started, now) or self.short):
                break
            self._delete(old, now)
            size -= old.size
            count += 1
        if count < BATCH:
            self._age_checked = now
        if count:
            log.info("deleted the pictures and sounds of %d visits, by the limits", count)
        return count

    def _delete(self, old: "_DeletableVisit", now: datetime) -> None:
        remove_evidence(self._journal.folder, old.paths)
        with self._journal.transaction() as database:
            database.execute(
                "UPDATE evidence SET deleted = ? WHERE visit = ? AND deleted IS NULL",
                (utc_text(now), old.visit),
            )

    def _age_was_checked(self, now: datetime) -> bool:
        """Return whether the last check of the age is recent; the clock may have jumped since."""
        return self._age_checked is not None and abs(now - self._age_checked) < AGE_CHECK_PERIOD

    def _too_old(self, started: str, now: datetime) -> bool:
        days = self._retention.max_days
        return days is not None and started < utc_text(now - timedelta(days=days))

    def _size(self) -> int:
        row = self._journal.database.execute(
            "SELECT total(bytes) FROM evidence WHERE deleted IS NULL"
        ).fetchone()
        return int(row[0])

    def _deletable(self) -> Iterator["_DeletableVisit"]:
        """Yield visits with evidence that are not among the best of their species, oldest first.

        Visits with agreeing senses are the best, then those with the highest score, then the
        longest.
        """
        rows = self._journal.database.execute(
            "WITH kept AS (SELECT visit, sum(bytes) AS bytes, json_group_array(path) AS paths "
            "              FROM evidence WHERE deleted IS NULL GROUP BY visit), "
            "ranked AS (SELECT visits.id, started, species, bytes, paths, row_number() OVER ("
            "           PARTITION BY species ORDER BY agreement = 'agree' DESC, score DESC, "
            "           windows DESC, id DESC) AS place FROM visits JOIN kept ON visit = visits.id)"
            "SELECT id, started, paths, bytes FROM ranked WHERE place > ? OR species IS NULL "
            "ORDER BY started LIMIT ?",
            (self._retention.best, BATCH),
        ).fetchall()
        for row in rows:
            paths = tuple(json.loads(row["paths"]))
            yield _DeletableVisit(row["id"], row["started"], paths, row["bytes"])


@dataclass(frozen=True)
class _DeletableVisit:
    """A visit whose evidence may be deleted.

    Attributes:
        visit: Its id.
        started: The time of its start, as UTC text.
        paths: Its files, relative to the folder of the journal.
        size: The size of its files in bytes.
    """

    visit: int
    started: str
    paths: tuple[str, ...]
    size: int
