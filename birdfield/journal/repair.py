"""A journal after a power cut or on a worn card: checked, repaired, or set aside and salvaged."""

import logging
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from birdfield.journal.schema import MIGRATIONS, TABLES, migrate

SIDE_FILES = ("", "-wal", "-shm")
NOT_A_DATABASE = ("malformed", "not a database", "disk i/o error")

log = logging.getLogger(__name__)


def as_text(data: bytes) -> str:
    """Read a text of a row, also one of which a bit has changed."""
    return data.decode(errors="replace")


def is_corruption(error: sqlite3.DatabaseError) -> bool:
    """Tell a damaged file from one that is locked, full or not to be opened."""
    return any(words in str(error).lower() for words in NOT_A_DATABASE)


def fault_of(connection: sqlite3.Connection) -> str | None:
    """Check a file by quick_check; returns the first fault, or None."""
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


def reindexed(connection: sqlite3.Connection) -> bool:
    """Rebuild the indices; tells whether that repaired the file."""
    try:
        connection.execute("REINDEX")
    except sqlite3.DatabaseError:
        return False
    return fault_of(connection) is None


def set_aside(path: Path) -> Path:
    """Rename a damaged file, and what belongs to it; returns its new name."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    for end in SIDE_FILES:
        side = path.with_name(path.name + end)
        if side.exists():
            side.rename(aside.with_name(aside.name + end))
    return aside


def salvage(aside: Path, connection: sqlite3.Connection) -> int:
    """Copy every row that can still be read of a damaged file to a new one.

    Args:
        aside: The damaged file.
        connection: To an empty journal.

    Returns:
        How many visits were saved.
    """
    try:
        damaged = sqlite3.connect(aside)
        damaged.text_factory = as_text
        version = int(damaged.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.DatabaseError:
        return 0
    # Rows of a damaged file may have lost their parents.
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN IMMEDIATE")
    if 0 < version <= len(MIGRATIONS):
        for table in TABLES:
            _copy_table(damaged, connection, table)
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
    connection.execute("COMMIT")
    connection.execute("PRAGMA foreign_keys = ON")
    damaged.close()
    return int(connection.execute("SELECT count(*) FROM visits").fetchone()[0])


def _copy_table(damaged: sqlite3.Connection, connection: sqlite3.Connection, table: str) -> None:
    """Copy a table from its beginning, and from its end, as far as either can be read."""
    try:  # an older version lacks some
        there = {row[1] for row in damaged.execute(f"PRAGMA table_info({table})")}
    except sqlite3.DatabaseError:
        return
    columns = [
        row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] in there
    ]
    order = "visit" if table == "embeddings" else "rowid"
    marks = ", ".join("?" * len(columns))
    for direction in ("ASC", "DESC"):
        try:
            for row in damaged.execute(
                f"SELECT {', '.join(columns)} FROM {table} ORDER BY {order} {direction}"
            ):
                try:
                    connection.execute(
                        f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})",
                        row,
                    )
                except sqlite3.IntegrityError:
                    continue  # what was read is no row of this table
        except sqlite3.DatabaseError:
            continue
        return


def rebuild(
    path: Path, connect: Callable[[Path], sqlite3.Connection], fault: str
) -> tuple[sqlite3.Connection, str]:
    """Set a damaged journal aside and go on with what can be saved of it.

    Returns:
        The new journal, and what happened in a sentence, which has been logged too.
    """
    aside = set_aside(path)
    connection = connect(path)
    migrate(connection, str(path))
    saved = salvage(aside, connection)
    sentence = (
        f"{path.name} was damaged ({fault}); it was set aside as {aside.name}, and "
        f"{saved} visits of it were saved"
    )
    log.error("%s", sentence)
    return connection, sentence
