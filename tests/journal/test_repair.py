"""Repair: damaged journals, rows and readers."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import assert_refused, run
from journal_kills import kill_writers
from journal_rows import ROBIN, Opener

from birdfield.journal.database import Journal
from birdfield.journal.opening import FILE, open_journal
from birdfield.journal.schema import MIGRATIONS


def count(journal: Journal, table: str) -> int:
    return int(journal.database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@pytest.mark.parametrize("older", [False, True])
def test_a_damaged_journal_is_set_aside_and_its_visits_are_saved(
    older: bool,
    journal: Journal,
    caplog: pytest.LogCaptureFixture,
    opened: Opener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """300 visits fill more than 20 pages of 4096 bytes; one page in the middle is overwritten."""
    for number in range(300):
        journal.add_visit(replace(ROBIN, start_s=float(number), evidence=()), "a1b2")
    journal.close()
    path = journal.folder / FILE
    data = bytearray(path.read_bytes())
    page = 4096 * (len(data) // 4096 // 2)
    data[page : page + 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    if older:
        for module in ("opening", "schema", "repair"):
            monkeypatch.setattr(
                f"birdfield.journal.{module}.MIGRATIONS",
                (*MIGRATIONS, "ALTER TABLE visits ADD COLUMN mood TEXT DEFAULT 'calm'"),
            )
    again = opened(open_journal, journal.folder)
    assert again.repair_note is not None and "was damaged" in again.repair_note
    assert again.repair_note in caplog.messages and caplog.records[0].levelno == logging.ERROR
    assert again.database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert 150 < count(again, "visits") <= 300
    (aside,) = [file for file in journal.folder.iterdir() if ".damaged-" in file.name]
    assert aside.read_bytes() == bytes(data)


def test_a_file_that_is_no_database_is_set_aside(journal: Journal, opened: Opener) -> None:
    journal.close()
    (journal.folder / FILE).write_bytes(b"\0" * 8192)
    again = opened(open_journal, journal.folder)
    assert again.repair_note is not None and "0 of its visits were saved" in again.repair_note


def test_a_damaged_index_is_rebuilt(journal: Journal, opened: Opener) -> None:
    """The first page of the index gets a wrong start of its cells, byte 16."""
    for number in range(50):
        journal.add_visit(replace(ROBIN, start_s=float(number), evidence=()), "a1b2")
    page = journal.database.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'visits_started'"
    ).fetchone()[0]
    journal.close()
    data = bytearray((journal.folder / FILE).read_bytes())
    data[(page - 1) * 4096 + 5 : (page - 1) * 4096 + 7] = b"\x00\x10"
    (journal.folder / FILE).write_bytes(data)
    again = opened(open_journal, journal.folder)
    assert again.repair_note is not None and "indices were rebuilt" in again.repair_note
    assert count(again, "visits") == 50


@pytest.mark.parametrize(
    "command",
    [("visits",), ("report",), ("export-visits", "-o", "x.csv"), ("rescore", "--dry-run")],
)
def test_damage_that_a_reader_meets_is_one_sentence(
    journal: Journal, command: tuple[str, ...]
) -> None:
    """Page 1, with the list of tables, is intact; all other pages are overwritten."""
    for _ in range(100):
        journal.add_visit(replace(ROBIN, evidence=()), "a1b2")
    journal.close()
    path = journal.folder / FILE
    path.write_bytes(path.read_bytes()[:4096].ljust(path.stat().st_size, b"\xa5"))
    assert_refused(
        run(command[0], journal.folder, *command[1:]),
        1,
        f"{path}: cannot be read (database disk image is malformed); the next watch with this "
        "journal repairs what it can",
    )


@pytest.mark.slow
def test_a_killed_writer_harms_nothing(tmp_path: Path) -> None:
    figures = kill_writers(tmp_path, kills=8, seed=5)
    assert figures.corrupt == figures.lost == 0
    assert figures.committed > 8, "the writers were killed while they wrote"
