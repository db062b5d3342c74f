"""Journal writer: writes a recorder's visits and events; what the disk refuses waits in memory."""

import logging
import sqlite3
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from birdfield.errors import InputError
from birdfield.journal.clock import correct_times, last_offset_s, note_offset
from birdfield.journal.database import Journal
from birdfield.journal.entries import EventEntry, SessionEntry, VisitEntry
from birdfield.journal.media import BestMedia, remove_evidence, remove_orphans, write_evidence
from birdfield.journal.novelty import mark_next
from birdfield.journal.retention import DiskGuard, Retention
from birdfield.journal.times import boot_id
from birdfield.watch.sources import SourceInfo
from birdfield.watch.wall_clock import JUMP_S

MAX_WAITING = 1000  # visits, and events, that wait for a full disk

log = logging.getLogger(__name__)


class JournalWriter:
    """Writes to a journal for one session. Not thread-safe.

    Attributes:
        written: The number of visits that were written.
    """

    def __init__(
        self, journal: Journal, model_id: str, sources: SourceInfo, retention: Retention
    ) -> None:
        """Prepare to write; `start` begins the session.

        Args:
            journal: A journal that is open for writing.
            model_id: The identifier of the model.
            sources: The sources of the scene.
            retention: The bounds of the evidence.
        """
        self._journal, self._model_id, self._sources = journal, model_id, sources
        self._disk = DiskGuard(journal, retention)
        self._boot = boot_id() if sources.live else None
        self._refused = False  # whether the journal could not be written at the last attempt
        self._visits: deque[VisitEntry] = deque(maxlen=MAX_WAITING)
        self._events: deque[EventEntry] = deque(maxlen=MAX_WAITING)
        self.written = 0

    @property
    def follows_clock(self) -> bool:
        """Whether the times of the session can be corrected after a jump of the clock."""
        return self._boot is not None

    @property
    def paused(self) -> bool:
        """Whether the disk has no room for evidence."""
        return self._disk.paused

    def start(self, now: datetime, offset_s: float) -> None:
        """Begin a session: remove the remains of a killed one, and check the disk and the clock.

        Args:
            now: The wall clock's time.
            offset_s: The offset of the wall clock, as `boot_offset_s` returns it.

        Raises:
            InputError: When the journal cannot be written.
        """
        folder = self._journal.folder
        try:
            orphans = remove_orphans(folder, set(self._journal.evidence_paths()))
            missing = self._journal.mark_missing(now)
            self.check_disk(now)
            before_s = last_offset_s(self._journal, self._boot) if self._boot else None
            self._start_session(now)
        except sqlite3.Error as error:
            raise InputError(
                f"{folder}: the journal cannot be written ({error}); free some space "
                "or choose another folder"
            ) from error
        self.store_offset(offset_s)
        if before_s is not None and abs(offset_s - before_s) > JUMP_S:
            self.correct_times(now, offset_s - before_s, offset_s)
        if self._journal.repair_note:
            self.add_event(now, "journal repaired", self._journal.repair_note)
        if orphans:
            self.add_event(now, "orphans deleted", f"{orphans} files that no visit names")
        if missing:
            self.add_event(now, "evidence missing", f"{missing} files that visits name")
        self.add_event(now, "started", f"model {self._model_id}")
        self.write(now)

    def _start_session(self, now: datetime) -> None:
        sources = self._sources
        self._journal.start_session(
            SessionEntry(
                self._model_id,
                now,
                camera=sources.camera,
                microphone=sources.microphone,
                boot=self._boot,
                latency=sources.latency,
            )
        )

    def add_event(self, now: datetime, kind: str, detail: str) -> None:
        """Add an event for the next `write`."""
        self._events.append(EventEntry(now, kind, detail))

    def add_events(self, events: Iterable[EventEntry]) -> None:
        """Add events for the next `write`."""
        self._events += events

    def add_visit(self, now: datetime, entry: VisitEntry, media: BestMedia) -> None:
        """Write a visit's evidence if the disk has room, and add the visit for the next `write`."""
        if self._disk.short and not self._disk.paused:
            self.check_disk(now)
        if not self._disk.paused:
            try:
                evidence = write_evidence(self._journal.folder, entry.started, entry.species, media)
                entry = replace(entry, evidence=evidence)
            except InputError as error:
                log.error("%s", error)
                self._add_disk_event(now, self._disk.note_full())
        self._visits.append(entry)

    def write(self, now: datetime) -> None:
        """Write what waits; what the disk refuses continues to wait, without its evidence."""
        try:
            while self._visits:
                self._write_visit(self._visits[0])
                self._visits.popleft()
                self.written += 1
            if self._events:
                self._journal.add_events(list(self._events))
                self._events.clear()
            self._refused = False
        except sqlite3.Error as error:
            self._log_refusal(error)
            self._remove_waiting_evidence()
            self._add_disk_event(now, self._disk.note_full())

    def _write_visit(self, entry: VisitEntry) -> None:
        mark = mark_next(self._journal, entry.species)
        self._journal.add_visit(entry, self._model_id)
        log.info(
            "visit: %s, %s to %s, %.2f by %s%s",
            entry.species or "undecided",
            f"{entry.started:%H:%M:%S}",
            f"{entry.ended:%H:%M:%S}",
            entry.score,
            entry.senses,
            f", {mark} here" if mark else "",
        )

    def _remove_waiting_evidence(self) -> None:
        for index, entry in enumerate(self._visits):
            with suppress(OSError):  # the next start deletes files without a row
                remove_evidence(self._journal.folder, (file.path for file in entry.evidence))
            self._visits[index] = replace(entry, evidence=())

    def check_disk(self, now: datetime) -> None:
        """Delete evidence beyond the bounds, and see whether there is room for more."""
        try:
            self._add_disk_event(now, self._disk.check(now))
        except (sqlite3.Error, OSError) as error:  # such as a card that has become read-only
            self._log_refusal(error)

    def _add_disk_event(self, now: datetime, change: str | None) -> None:
        if change:
            self.add_event(now, change, str(self._journal.folder))

    def store_offset(self, offset_s: float) -> None:
        """Store the offset of the wall clock, for the next session of the same boot."""
        if self._boot:
            try:
                note_offset(self._journal, offset_s)
            except sqlite3.Error as error:
                self._log_refusal(error)

    def correct_times(self, now: datetime, jump_s: float, offset_s: float) -> None:
        """Correct all times of this boot, written and waiting, after a jump of the wall clock.

        Args:
            now: The wall clock's time after the jump.
            jump_s: The jump; positive when the clock was set ahead.
            offset_s: The offset of the wall clock after the jump.
        """
        log.warning(
            "the clock jumped by %+.0f s; the times of this boot's visits are corrected", jump_s
        )
        assert self._boot is not None  # files do not follow the clock
        moved = timedelta(seconds=jump_s)
        for index, entry in enumerate(self._visits):
            self._visits[index] = replace(
                entry, started=entry.started + moved, ended=entry.ended + moved
            )
        for index, event in enumerate(self._events):
            self._events[index] = event._replace(time=event.time + moved)
        try:
            correct_times(self._journal, self._boot, jump_s)
        except sqlite3.Error as error:
            log.error("the journal cannot be written (%s); its times are not corrected", error)
        else:
            self.store_offset(offset_s)
        self.add_event(now, "clock jumped", f"{jump_s:+.1f} s")

    def close(self, now: datetime) -> None:
        """Write what waits, and close the journal."""
        self.write(now)
        if self._visits:
            log.error("%d visits were lost: the journal could not be written", len(self._visits))
        self._journal.close()

    def _log_refusal(self, error: Exception) -> None:
        """Log that the journal cannot be written, once until it can."""
        if not self._refused:
            log.error("the journal cannot be written (%s); visits wait in memory", error)
        self._refused = True
