"""Writable journals: checks, without a change, that a folder can hold a journal."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from birdfield.errors import InputError
from birdfield.journal.opening import FILE, _check_owner
from birdfield.journal.schema import version_of


def check_journal(folder: Path) -> None:
    """Check that `open_journal` can open a folder's journal, or create it.

    A journal that another process writes now passes, and so does a damaged one, which would be
    repaired.

    Raises:
        InputError: If the folder cannot be written, or other users may write to it, or its journal
            is of a newer version.
    """
    try:
        existing = next(each for each in (folder, *folder.parents) if each.exists())
        if existing == folder:
            _check_owner(folder)
        journal = folder / FILE
        has_journal = journal.is_file()
    except OSError as error:
        raise _unwritable(folder, str(error.strerror)) from error
    if not existing.is_dir():
        raise _unwritable(folder, "File exists" if existing == folder else "Not a directory")
    if not os.access(existing, os.W_OK | os.X_OK, effective_ids=True):
        raise _unwritable(folder, "Permission denied")
    if has_journal:
        with suppress(sqlite3.Error), closing(_reader(journal)) as database:
            version_of(database, str(journal))


def _reader(journal: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{journal.resolve().as_uri()}?mode=ro", uri=True)


def _unwritable(folder: Path, reason: str) -> InputError:
    return InputError(
        f"{folder}: no journal can be written here ({reason}); expected a folder of your own"
    )
