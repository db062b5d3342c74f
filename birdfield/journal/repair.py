"""Repair: checks a journal after a power cut or on a worn card, and saves what can be read."""

import logging
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from birdfield.journal.schema import MIGRATIONS, TABLES, migrate

SUFFIXES = ("", "-wal", "-shm")  # of the files that belong to a SQLite database
CORRUPTION = ("malformed", "not a database", "disk i/o error")  # words of SQLite's messages

log = logging.getLogger(__name__)


def decode_text(data: bytes) -> str:
    """Return a text column as str, also if a bit of it has changed."""
    return data.decode(errors="replace")


def is_corruption(error: sqlite3.DatabaseError) -> bool:
    """Return whether an error means damage, and not a file that is locked, full or forbidden."""
    return any(words in str(error).lower() for words in CORRUPTION)


def fault_of(connection: sqlite3.Connection) -> str | None:
    """Check a database, and return a description of the first fault, or None."""
    try:
        found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.DatabaseError as error:
        if not is_corruption(error):
            raise
        return str(error)
    if found != "ok":
        return found.replace("\n", " ")
    return f"a row of {orphan[0]} belongs to none of {orphan[2]}" if orphan else None


def reindex(connection: sqlite3.Connection) -> bool:
    """Rebuild the indices, and return whether the database has no fault any more."""
    try:
        connection.execute("REINDEX")
    except sqlite3.DatabaseError:
        return False
    return fault_of(connection) is None


def set_aside(path: Path) -> Path:
    """Rename a damaged database with its side files, and return the new path."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    for suffix in SUFFIXES:
        side = path.with_name(path.name + suffix)
        if side.exists():
            side.rename(aside.with_name(aside.name + suffix))
    return aside


def salvage(aside: Path, connection: sqlite3.Connection) -> int:
    """Copy every readable row of a damaged database to a new one.

    Args:
        aside: The damaged database.
        connection: A connection to an empty journal.

    Returns:
        The number of visits that were saved.
    """
    try:
        damaged = sqlite3.connect(aside)
        damaged.text_factory = decode_text
        version = int(damaged.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.DatabaseError:
        return 0
    # The row that another row refers to may be lost, so keys are checked once all are copied.
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN IMMEDIATE")
    if 0 < version <= len(MIGRATIONS):
        for table in TABLES:
            _copy_table(damaged, connection, table)
    _restore_references(connection)
    connection.execute("COMMIT")
    connection.execute("PRAGMA foreign_keys = ON")
    damaged.close()
    return int(connection.execute("SELECT count(*) FROM visits").fetchone()[0])


def _restore_references(connection: sqlite3.Connection) -> None:
    """Add a session for each visit without one; drop other references to rows that are lost."""
    connection.execute(
        "INSERT INTO sessions (id, started, model) SELECT session, min(started), '' "
        "FROM visits WHERE session NOT IN (SELECT id FROM sessions) "
        "GROUP BY session"
    )
    for table in ("evidence", "embeddings"):
        connection.execute(f"DELETE FROM {table} WHERE visit NOT IN (SELECT id FROM visits)")
    connection.execute(
        "UPDATE events SET session = NULL WHERE session NOT IN (SELECT id FROM sessions)"
    )


def _copy_table(damaged: sqlite3.Connection, connection: sqlite3.Connection, table: str) -> None:
    """Copy a table from its beginning and, if a page is unreadable, also from its end."""
    try:
        found = {row[1] for row in damaged.execute(f"PRAGMA table_info({table})")}
    except sqlite3.DatabaseError:
        return
    # An older version lacks some columns.
    columns = [
        row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] in found
    ]
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    order = "visit" if table == "embeddings" else "rowid"
    for direction in ("ASC", "DESC"):
        try:
            for row in damaged.execute(f"SELECT {names} FROM {table} ORDER BY {order} {direction}"):
                try:
                    connection.execute(
                        f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", row
                    )
                except sqlite3.IntegrityError:
                    continue  # damage has changed a value that a constraint forbids
        except sqlite3.DatabaseError:
            continue
        return


def rebuild(
    path: Path, connect: Callable[[Path], sqlite3.Connection], fault: str
) -> tuple[sqlite3.Connection, str]:
    """Replace a damaged database by a new one with the rows that can be read.

    Args:
        path: The database.
        connect: Opens a path for writing.
        fault: A description of the damage.

    Returns:
        The connection to the new database, and a sentence on what happened, which is also logged.
    """
    aside = set_aside(path)
    connection = connect(path)
    migrate(connection, str(path))
    saved = salvage(aside, connection)
    sentence = (
        f"{path.name} was damaged ({fault}); it is now {aside.name}, and {saved} of its visits "
        "were saved"
    )
    log.error("%s", sentence)
    return connection, sentence
