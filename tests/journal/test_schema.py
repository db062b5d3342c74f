"""The schema: versions of the tables, and files of other programs."""

import sqlite3
from pathlib import Path

import pytest
from journal_rows import ROBIN, Opener

from birdfield.errors import InputError
from birdfield.journal.database import Journal
from birdfield.journal.opening import FILE, open_journal, read_journal
from birdfield.journal.schema import APPLICATION_ID, MIGRATIONS


def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / FILE)
    other.execute("CREATE TABLE recipes (id)")
    other.commit()
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(InputError, match="a SQLite file, but not a birdfield journal"):
        open_journal(tmp_path)
    assert (tmp_path / FILE).read_bytes()[100:] == before[100:], "beyond the header"


def test_a_newer_journal_is_refused_with_both_versions(journal: Journal) -> None:
    journal.database.execute("PRAGMA user_version = 99")
    journal.close()
    message = rf"journal version 99, but this birdfield reads versions up to {len(MIGRATIONS)}"
    with pytest.raises(InputError, match=message):
        open_journal(journal.folder)
    with pytest.raises(InputError, match=message):
        read_journal(journal.folder)


def test_an_older_journal_is_migrated(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, opened: Opener
) -> None:
    journal.add_visit(ROBIN, "a1b2")
    journal.close()
    for module in ("opening", "schema"):
        monkeypatch.setattr(
            f"birdfield.journal.{module}.MIGRATIONS",
            (*MIGRATIONS, "ALTER TABLE visits ADD COLUMN mood TEXT DEFAULT 'calm'"),
        )
    with pytest.raises(InputError, match="the next watch with this journal migrates it"):
        read_journal(journal.folder)
    again = opened(open_journal, journal.folder)
    row = again.database.execute("SELECT species, mood FROM visits").fetchone()
    assert tuple(row) == ("Robin", "calm")
    assert again.database.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS) + 1


def test_a_migration_that_fails_leaves_the_journal_as_it_was(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, opened: Opener
) -> None:
    journal.close()
    with monkeypatch.context() as patch:
        patch.setattr(
            "birdfield.journal.schema.MIGRATIONS",
            (*MIGRATIONS, "ALTER TABLE visits ADD COLUMN mood TEXT; SELECT nonsense"),
        )
        with pytest.raises(InputError, match="cannot be opened"):
            open_journal(journal.folder)
    again = opened(open_journal, journal.folder)
    assert "mood" not in [row[1] for row in again.database.execute("PRAGMA table_info(visits)")]


def test_the_file_has_the_application_id(journal: Journal) -> None:
    assert journal.database.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
