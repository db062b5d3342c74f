"""Journal: an open database of visits and events, which survives a kill or a power cut."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from birdfield.journal.entries import EventEntry, EvidenceFile, SessionEntry, VisitEntry
from birdfield.journal.times import local_offset_min, utc_text

BUSY_S = 10.0  # the time for which a reader or a writer waits for another


class Journal:
    """An open journal; one process writes it, any number of processes read it. Not thread-safe.

    Attributes:
        folder: The folder of the database and the evidence.
        database: The connection, for the queries of other modules.
        repair_note: A sentence on damage that was repaired on opening; None without damage.
    """

    def __init__(
        self,
        folder: Path,
        database: sqlite3.Connection,
        lock: IO[str] | None = None,
        repair_note: str | None = None,
    ) -> None:
        """Wrap a connection that `open_journal` or `read_journal` opened.

        Args:
            folder: The folder of the journal.
            database: The connection.
            lock: The locked file that keeps other writers out; None for a reader.
            repair_note: A sentence on damage that was repaired.
        """
        self.folder, self.database, self.repair_note = folder, database, repair_note
        self._lock = lock
        self._session: int | None = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit the changes of the block together, or none of them if it raises.

        Raises:
            sqlite3.Error: If the commit fails, such as on a full disk.
        """
        self.database.execute("BEGIN IMMEDIATE")
        try:
            yield self.database
            self.database.execute("COMMIT")
        except BaseException:
            if self.database.in_transaction:  # SQLite itself rolls back on a full disk
                self.database.execute("ROLLBACK")
            raise

    def start_session(self, entry: SessionEntry) -> int:
        """Write a session, to which later visits and events belong, and return its id."""
        with self.transaction() as database:
            row = database.execute(
                "INSERT INTO sessions (boot, started, model, camera, microphone, "
                "camera_latency_s, microphone_latency_s) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    entry.boot,
                    utc_text(entry.started),
                    entry.model,
                    entry.camera,
                    entry.microphone,
                    entry.latency.camera_s,
                    entry.latency.microphone_s,
                ),
            )
        self._session = row.lastrowid
        assert self._session is not None  # an INSERT has a row id
        return self._session

    def add_visit(self, entry: VisitEntry, model: str) -> int:
        """Write a visit with its embeddings and evidence, durably, and return its id.

        Args:
            entry: The visit.
            model: The id of the model that made the embeddings.

        Raises:
            sqlite3.Error: If the commit fails.
        """
        with self.transaction() as database:
            visit = _insert_visit(database, entry, self._session)
            database.executemany(
                "INSERT INTO embeddings VALUES (?, ?, ?, ?)",
                [(visit, sense, model, vector) for sense, vector in entry.embeddings.items()],
            )
            database.executemany(
                "INSERT INTO evidence (visit, kind, path, bytes, score, box, start_s, end_s) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(visit, *_evidence_row(file)) for file in entry.evidence],
            )
        return visit

    def add_events(self, events: Sequence[EventEntry]) -> None:
        """Write events."""
        with self.transaction() as database:
            database.executemany(
                "INSERT INTO events (session, time, kind, detail) VALUES (?, ?, ?, ?)",
                [(self._session, utc_text(time), kind, detail) for time, kind, detail in events],
            )

    def shrink(self) -> None:
        """Copy the write-ahead log to the database, and truncate the log if no reader uses it.

        Does not wait for readers: one may stay for hours, such as a listing in a pager.

        Raises:
            sqlite3.Error: If the database cannot be written.
        """
        self.database.execute("PRAGMA busy_timeout = 0")
        try:
            self.database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            self.database.execute(f"PRAGMA busy_timeout = {round(BUSY_S * 1000)}")

    def evidence_paths(self) -> list[str]:
        """Return the paths of all evidence that is not deleted, relative to the folder."""
        return [
            row["path"]
            for row in self.database.execute("SELECT path FROM evidence WHERE deleted IS NULL")
        ]

    def mark_missing(self, now: datetime) -> int:
        """Mark evidence whose file is gone as deleted, and return the number of files."""
        missing = [path for path in self.evidence_paths() if not (self.folder / path).exists()]
        with self.transaction() as database:
            database.executemany(
                "UPDATE evidence SET deleted = ? WHERE path = ?",
                [(utc_text(now), path) for path in missing],
            )
        return len(missing)

    def close(self) -> None:
        """Close the database and release the lock; what was committed is safe without this."""
        self.database.close()
        if self._lock is not None:
            self._lock.close()


def _insert_visit(database: sqlite3.Connection, entry: VisitEntry, session: int | None) -> int:
    visit = database.execute(
        "INSERT INTO visits (session, species, scientific, first_species, started, ended, "
        "utc_offset_min, start_s, end_s, score, senses, agreement, windows, candidates) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            session,
            entry.species,
            entry.scientific,
            entry.species,
            utc_text(entry.started),
            utc_text(entry.ended),
            local_offset_min(entry.started),
            entry.start_s,
            entry.end_s,
            entry.score,
            entry.senses,
            entry.agreement,
            entry.windows,
            json.dumps(entry.candidates, ensure_ascii=False),
        ),
    ).lastrowid
    assert visit is not None  # an INSERT has a row id
    return visit


def _evidence_row(file: EvidenceFile) -> tuple[str | int | float | None, ...]:
    box = ",".join(map(str, file.box)) if file.box else None
    return file.kind, file.path, file.size, file.score, box, file.start_s, file.end_s
