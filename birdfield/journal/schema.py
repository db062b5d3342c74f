"""Schema: the tables of a journal, version by version, and their migration."""

import sqlite3

from birdfield.errors import InputError

APPLICATION_ID = 0x42464A31  # "BFJ1", in the header of the file

# One script a version. A released script never changes, not even in a comment: SQLite stores it.
MIGRATIONS = (
    """
    CREATE TABLE sessions (
        id INTEGER PRIMARY KEY,
        boot TEXT,                     -- of the kernel; NULL when files were watched
        started TEXT NOT NULL,         -- UTC, ISO 8601
        model TEXT NOT NULL,
        camera TEXT,
        microphone TEXT,
        clock_offset_s REAL            -- wall clock less monotonic clock, when last seen
    );
    CREATE TABLE visits (
        id INTEGER PRIMARY KEY,
        session INTEGER NOT NULL REFERENCES sessions (id),
        species TEXT,                  -- NULL where the evidence conflicts
        scientific TEXT,
        first_species TEXT,            -- as it was answered then; rescore leaves it alone
        started TEXT NOT NULL,         -- UTC, ISO 8601
        ended TEXT NOT NULL,
        utc_offset_min INTEGER NOT NULL,  -- of local time, then
        clock_shift_s REAL NOT NULL DEFAULT 0,  -- what a jump of the clock later added
        start_s REAL NOT NULL,         -- in the session's scene, by the monotonic clock
        end_s REAL NOT NULL,
        score REAL NOT NULL,           -- of the best window
        senses TEXT NOT NULL,          -- "image", "audio" or "both"
        agreement TEXT NOT NULL,
        windows INTEGER NOT NULL,
        candidates TEXT NOT NULL       -- JSON: [[species, share of the evidence], ...]
    );
    CREATE INDEX visits_started ON visits (started);
    CREATE INDEX visits_species ON visits (species, score);
    CREATE TABLE evidence (
        id INTEGER PRIMARY KEY,
        visit INTEGER NOT NULL REFERENCES visits (id),
        kind TEXT NOT NULL CHECK (kind IN ('picture', 'sound', 'sonogram')),
        path TEXT NOT NULL UNIQUE,     -- below the journal's folder
        bytes INTEGER NOT NULL,
        score REAL NOT NULL,
        box TEXT,                      -- of a picture: what moved, x,y,w,h in its own pixels
        start_s REAL NOT NULL,         -- in the session's scene
        end_s REAL NOT NULL,
        deleted TEXT                   -- UTC, when the file was deleted to free space
    );
    CREATE INDEX evidence_visit ON evidence (visit);
    CREATE TABLE embeddings (
        visit INTEGER NOT NULL REFERENCES visits (id),
        sense TEXT NOT NULL CHECK (sense IN ('image', 'audio')),
        model TEXT NOT NULL,
        vector BLOB NOT NULL,          -- float32, little endian
        PRIMARY KEY (visit, sense)
    ) WITHOUT ROWID;
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        session INTEGER REFERENCES sessions (id),
        time TEXT NOT NULL,            -- UTC, ISO 8601
        clock_shift_s REAL NOT NULL DEFAULT 0,
        kind TEXT NOT NULL,
        detail TEXT NOT NULL
    );
    CREATE INDEX events_time ON events (time);
    """,
    """
    -- By how much its frames and its sound were taken to be late.
    ALTER TABLE sessions ADD COLUMN camera_latency_s REAL NOT NULL DEFAULT 0;
    ALTER TABLE sessions ADD COLUMN microphone_latency_s REAL NOT NULL DEFAULT 0;
    """,
)
TABLES = ("sessions", "visits", "evidence", "embeddings", "events")  # those referred to first


def version_of(connection: sqlite3.Connection, name: str) -> int:
    """Return the schema version of a database; 0 if it is empty.

    Args:
        connection: A connection to the database.
        name: Its path, for the message of an error.

    Raises:
        InputError: If another program or a newer birdfield wrote the database.
    """
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if application != APPLICATION_ID and (application or version or _has_tables(connection)):
        raise InputError(
            f"{name}: a SQLite file, but not a birdfield journal; choose another folder"
        )
    if version > len(MIGRATIONS):
        raise InputError(
            f"{name}: journal version {version}, but this birdfield reads versions up to "
            f"{len(MIGRATIONS)}; install the birdfield that wrote it"
        )
    return version


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def migrate(connection: sqlite3.Connection, name: str) -> None:
    """Migrate a database to the newest version, in one transaction a version.

    Raises:
        InputError: If `version_of` raises it.
        sqlite3.Error: If a step fails; the database stays at the version before it.
    """
    for version in range(version_of(connection, name), len(MIGRATIONS)):
        # executescript commits before it runs, so the script itself has the transaction.
        connection.executescript(
            f"BEGIN IMMEDIATE; {MIGRATIONS[version]}; PRAGMA application_id = {APPLICATION_ID}; "
            f"PRAGMA user_version = {version + 1}; COMMIT;"
        )
