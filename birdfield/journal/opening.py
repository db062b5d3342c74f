"""Opening: opens a folder's journal for one writer, or for any number of readers."""

import fcntl
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from birdfield.errors import InputError
from birdfield.journal.database import BUSY_S, Journal
from birdfield.journal.repair import decode_text, fault_of, is_corruption, rebuild, reindex
from birdfield.journal.schema import MIGRATIONS, migrate, version_of

FILE = "journal.sqlite"
LOCK = "lock"
WAL_PAGES = 100  # of 4 kB: the size of the write-ahead log that a small disk has room for


def open_journal(folder: Path) -> Journal:
    """Open a folder's journal for writing; create, repair and migrate it as needed.

    A damaged journal is repaired. If that fails, it is renamed, and a new journal starts with
    the rows that can still be read.

    Raises:
        InputError: If another process writes the journal, other users may write to the folder,
            the file is not a journal, or it cannot be written.
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
            "expected a folder of your own"
        ) from error
    try:
        database, repair_note = _open_repaired(path)
        migrate(database, str(path))
    except sqlite3.Error as error:
        lock.close()
        raise InputError(
            f"{path}: cannot be opened ({error}); check the disk, or choose another folder"
        ) from error
    except InputError:
        lock.close()
        raise
    return Journal(folder, database, lock, repair_note)


def _check_owner(folder: Path) -> None:
    """Refuse a folder in which another user could replace evidence by links."""
    found = folder.stat()
    if found.st_mode & stat.S_IWOTH or found.st_uid not in (os.geteuid(), 0):
        raise InputError(
            f"{folder}: other users may write to it; expected a folder of your own: "
            f"chmod 700 {folder}"
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
    """Connect for writing."""
    database = _with_rows(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None))
    try:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",  # with less, a power cut can lose a commit in WAL mode
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
    database.text_factory = decode_text
    return database


def _open_repaired(path: Path) -> tuple[sqlite3.Connection, str | None]:
    """Connect for writing; return also a sentence on damage that was repaired."""
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
    if reindex(database):
        return database, f"{path.name} was damaged ({fault}); its indices were rebuilt"
    database.close()
    return rebuild(path, _connect, fault)


def read_journal(folder: Path) -> Journal:
    """Open a folder's journal for reading, also while another process writes it.

    Raises:
        InputError: If there is no journal, it needs a migration, or it cannot be read.
    """
    path = folder / FILE
    if not path.is_file():
        raise InputError(
            f"{folder}: no journal here; expected a folder that a watch with a journal wrote"
        )
    try:
        database = _with_rows(_connect_reader(path.resolve()))
        version = version_of(database, str(path))
        if version < len(MIGRATIONS):
            raise InputError(
                f"{path}: journal version {version}, expected {len(MIGRATIONS)}; "
                "the next watch with this journal migrates it"
            )
    except sqlite3.Error as error:
        raise _unreadable(folder, error) from error
    return Journal(folder, database)


@contextmanager
def reading(folder: Path) -> Iterator[Journal]:
    """Open a folder's journal for reading during the block.

    Raises:
        InputError: If `read_journal` raises it, or the block meets damage.
    """
    with closing(read_journal(folder)) as journal:
        try:
            yield journal
        except sqlite3.Error as error:
            raise _unreadable(folder, error) from error


def _connect_reader(path: Path) -> sqlite3.Connection:
    """Connect for reading, also on a read-only card, where WAL cannot create its side files."""
    uri = f"{path.as_uri()}?mode=ro"
    database = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
    try:
        database.execute("PRAGMA application_id")
    except sqlite3.OperationalError as error:
        database.close()
        log = path.with_name(f"{path.name}-wal")
        if not _cannot_open(error) or (log.exists() and log.stat().st_size):
            raise
        # The log is empty, so the file has every row; and on a read-only card nothing changes it.
        database = sqlite3.connect(f"{uri}&immutable=1", uri=True, isolation_level=None)
    return database


def _cannot_open(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CANTOPEN


def _unreadable(folder: Path, error: sqlite3.Error) -> InputError:
    next_step = (
        "copy the folder to a place where you may write"
        if _cannot_open(error)
        else "the next watch with this journal repairs what it can"
    )
    return InputError(f"{folder / FILE}: cannot be read ({error}); {next_step}")
