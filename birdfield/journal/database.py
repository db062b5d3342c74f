"""The journal: visits and events in SQLite, which a kill or a power cut does not harm."""

import fcntl
import json
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from birdfield.capture.latency import NO_LATENCY, Latency
from birdfield.errors import InputError
from birdfield.journal.repair import as_text, fault_of, is_corruption, rebuild, reindexed
from birdfield.journal.schema import MIGRATIONS, migrate, version_of

FILE = "journal.sqlite"
LOCK = "lock"
WAL_PAGES = 100  # of 4 kB, before what is in the log goes to the file: a small disk has no room
BUSY_S = 10.0  # how long a reader or a writer waits for another


@dataclass(frozen=True)
class EvidenceFile:
    """A file that was kept of a visit.

    Attributes:
        kind: "picture", "sound" or "sonogram".
        path: Below the journal's folder.
        size: In bytes.
        score: Of the window that it is of.
        start_s: What it shows begins here, in seconds of the scene.
        end_s: And ends here.
        box: Of a picture: left, top, width and height of what moved, in its own pixels.
    """

    kind: str
    path: str
    size: int
    score: float
    start_s: float
    end_s: float
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True)
class VisitEntry:
    """What is written of one visit, in one transaction.

    Attributes:
        species: The label; None where the evidence conflicts.
        scientific: Its scientific name, where the model has it.
        started: When it began, aware.
        ended: When it ended, aware.
        start_s: When it began, in seconds of the scene.
        end_s: When it ended.
        score: Of its best window, 0..1.
        senses: "image", "audio" or "both".
        agreement: "agree", "single" or "disagree".
        windows: How many windows it was in.
        candidates: Species and their share of the evidence, 0..1, the largest first.
        embeddings: The pooled tower vector, float32 little endian, by "image" and "audio".
        evidence: What was kept.
    """

    species: str | None
    scientific: str | None
    started: datetime
    ended: datetime
    start_s: float
    end_s: float
    score: float
    senses: str
    agreement: str
    windows: int
    candidates: tuple[tuple[str, float], ...]
    embeddings: Mapping[str, bytes] = field(default_factory=dict)
    evidence: tuple[EvidenceFile, ...] = ()


def utc_text(time: datetime) -> str:
    """Write a time as the journal holds it: UTC to the millisecond, which sorts as text."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds")


def local_offset_min(time: datetime) -> int:
    """Return how far local time is ahead of UTC then, in minutes."""
    offset = time.astimezone().utcoffset()
    assert offset is not None  # astimezone() made it aware
    return round(offset.total_seconds() / 60)


def boot_id() -> str | None:
    """Name this start of the kernel; None where there is no such name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None


class Journal:
    """An open journal; one process writes it, any number read it. Not thread-safe.

    Attributes:
        folder: Where it and its evidence are.
        database: The connection, for the queries of other modules.
        renewal: What was done about damage when it was opened, in a sentence; None when nothing.
    """

    def __init__(
        self,
        folder: Path,
        database: sqlite3.Connection,
        lock: IO[str] | None = None,
        renewal: str | None = None,
    ) -> None:
        """Take what `open_journal` or `read_journal` opened."""
        self.folder, self.database, self.renewal = folder, database, renewal
        self._lock = lock
        self._session: int | None = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what the block does as a whole, or none of it.

        Raises:
            sqlite3.Error: When it cannot be committed, such as on a full disk.
        """
        self.database.execute("BEGIN IMMEDIATE")
        try:
            yield self.database
            self.database.execute("COMMIT")
        except BaseException:
            if self.database.in_transaction:  # a full disk may have rolled it back itself
                self.database.execute("ROLLBACK")
            raise

    def start_session(
        self,
        model: str,
        camera: str | None,
        microphone: str | None,
        started: datetime,
        boot: str | None,
        latency: Latency = NO_LATENCY,
    ) -> int:
        """Begin a watch; visits and events belong to it from now on. Returns its id."""
        with self.transaction() as database:
            row = database.execute(
                "INSERT INTO sessions (boot, started, model, camera, microphone, "
                "camera_latency_s, microphone_latency_s) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    boot,
                    utc_text(started),
                    model,
                    camera,
                    microphone,
                    latency.camera_s,
                    latency.microphone_s,
                ),
            )
        self._session = row.lastrowid
        assert self._session is not None
        return self._session

    def add_visit(self, entry: VisitEntry, model: str) -> int:
        """Write a visit with all that belongs to it; on return it outlives a power cut.

        Raises:
            sqlite3.Error: When it cannot be committed.
        """
        with self.transaction() as database:
            visit = database.execute(
                "INSERT INTO visits (session, species, scientific, first_species, started, ended, "
                "utc_offset_min, start_s, end_s, score, senses, agreement, windows, candidates) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self._session,
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
            database.executemany(
                "INSERT INTO embeddings VALUES (?, ?, ?, ?)",
                [(visit, sense, model, vector) for sense, vector in entry.embeddings.items()],
            )
            database.executemany(
                "INSERT INTO evidence (visit, kind, path, bytes, score, box, start_s, end_s) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        visit,
                        file.kind,
                        file.path,
                        file.size,
                        file.score,
                        ",".join(map(str, file.box)) if file.box else None,
                        file.start_s,
                        file.end_s,
                    )
                    for file in entry.evidence
                ],
            )
        assert visit is not None
        return visit

    def add_events(self, events: Sequence[tuple[datetime, str, str]]) -> None:
        """Write events: time, kind and detail of each."""
        with self.transaction() as database:
            database.executemany(
                "INSERT INTO events (session, time, kind, detail) VALUES (?, ?, ?, ?)",
                [(self._session, utc_text(time), kind, detail) for time, kind, detail in events],
            )

    def shrink(self) -> None:
        """Bring what is in the log to the file, and give the log's space back where that works.

        Nobody is waited for: a reader may stay for hours, such as one that writes into a pager.

        Raises:
            sqlite3.Error: When it cannot be written.
        """
        self.database.execute("PRAGMA busy_timeout = 0")
        try:
            self.database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            self.database.execute(f"PRAGMA busy_timeout = {round(BUSY_S * 1000)}")

    def evidence_paths(self) -> list[str]:
        """List the files that visits have, below the folder."""
        return [
            row["path"]
            for row in self.database.execute("SELECT path FROM evidence WHERE deleted IS NULL")
        ]

    def mark_missing(self, now: datetime) -> int:
        """Note as deleted what is not in the folder any more; returns how many files."""
        missing = [path for path in self.evidence_paths() if not (self.folder / path).exists()]
        with self.transaction() as database:
            database.executemany(
                "UPDATE evidence SET deleted = ? WHERE path = ?",
                [(utc_text(now), path) for path in missing],
            )
        return len(missing)

    def close(self) -> None:
        """Close the file; what was committed is safe without."""
        self.database.close()
        if self._lock is not None:
            self._lock.close()


def open_journal(folder: Path) -> Journal:
    """Open a folder's journal for writing, making, checking and migrating it.

    A damaged one is repaired; where that fails it is set aside, and what can be read of it is
    saved to a new one.

    Raises:
        InputError: When another process writes it, others may, it is no journal, or cannot be
            written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_owner(folder)
        lock = _lock(folder)
        path = folder / FILE
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise InputError(
            f"{folder}: no journal can be written here ({error.strerror}); "
            "expected a folder of one's own"
        ) from error
    try:
        database, renewal = _checked(path)
        migrate(database, str(path))
    except sqlite3.Error as error:
        lock.close()
        raise InputError(
            f"{path}: cannot be opened ({error}); check the disk, or choose another folder"
        ) from error
    except InputError:
        lock.close()
        raise
    return Journal(folder, database, lock, renewal)


def _check_owner(folder: Path) -> None:
    """Refuse a folder in which somebody else could put links in place of evidence."""
    found = folder.stat()
    if found.st_mode & stat.S_IWOTH or found.st_uid not in (os.geteuid(), 0):
        raise InputError(
            f"{folder}: others may write to it; expected a folder of one's own: chmod 700 {folder}"
        )


def _lock(folder: Path) -> IO[str]:
    lock = os.fdopen(os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise InputError(
            f"{folder}: another birdfield writes this journal; stop it, or choose another folder"
        ) from None
    return lock


def _connect(path: Path) -> sqlite3.Connection:
    database = _with_rows(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None))
    try:
        # FULL: a commit is on the card before it is answered; with less, WAL may lose it.
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"wal_autocheckpoint = {WAL_PAGES}",
        ):
            database.execute(f"PRAGMA {pragma}")
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database


def _with_rows(database: sqlite3.Connection) -> sqlite3.Connection:
    database.row_factory = sqlite3.Row
    database.text_factory = as_text
    return database


def _checked(path: Path) -> tuple[sqlite3.Connection, str | None]:
    try:
        database = _connect(path)
    except sqlite3.DatabaseError as error:
        if not is_corruption(error):
            raise
        return rebuild(path, _connect, str(error))
    version_of(database, str(path))
    fault = fault_of(database)
    if fault is None:
        return database, None
    if reindexed(database):
        return database, f"{path.name} was damaged ({fault}); its indices were built anew"
    database.close()
    return rebuild(path, _connect, fault)


def _connect_reader(path: Path) -> sqlite3.Connection:
    """Open a file for reading, also on a read-only card, where WAL cannot make its side files."""
    uri = f"{path.as_uri()}?mode=ro"
    database = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
    try:
        database.execute("PRAGMA application_id")
    except sqlite3.OperationalError as error:
        database.close()
        log = path.with_name(f"{path.name}-wal")
        if not _cannot_open(error) or (log.exists() and log.stat().st_size):
            raise
        # All is in the file itself, and nobody writes it: it can be read without them.
        database = sqlite3.connect(f"{uri}&immutable=1", uri=True, isolation_level=None)
    return database


def read_journal(folder: Path) -> Journal:
    """Open a folder's journal for reading, also while it is being written.

    Raises:
        InputError: When there is none, or it cannot be read.
    """
    path = folder / FILE
    if not path.is_file():
        raise InputError(
            f"{folder}: no journal here; expected a folder that birdfield watch --journal wrote"
        )
    try:
        database = _with_rows(_connect_reader(path.resolve()))
        version = version_of(database, str(path))
        if version < len(MIGRATIONS):
            raise InputError(
                f"{path}: journal version {version}, expected {len(MIGRATIONS)}; "
                f"birdfield watch --journal {folder} brings it up to date"
            )
    except sqlite3.Error as error:
        raise _unreadable(folder, error) from error
    return Journal(folder, database)


@contextmanager
def reading(folder: Path) -> Iterator[Journal]:
    """Open a folder's journal for reading while the block runs.

    Raises:
        InputError: When there is none, it cannot be read, or turns out to be damaged on the way.
    """
    with closing(read_journal(folder)) as journal:
        try:
            yield journal
        except sqlite3.Error as error:
            raise _unreadable(folder, error) from error


def _cannot_open(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CANTOPEN


def _unreadable(folder: Path, error: sqlite3.Error) -> InputError:
    advice = (
        "copy the folder to where you may write"
        if _cannot_open(error)
        else f"birdfield watch --journal {folder} repairs what can be repaired"
    )
    return InputError(f"{folder / FILE}: cannot be read ({error}); {advice}")
