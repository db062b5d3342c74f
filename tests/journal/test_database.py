"""The journal: opening, writing, reading, damage, and corrections of the clock."""

import logging
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from command_line import assert_refused, run
from journal_kills import kill_writers
from journal_rows import DAWN, ROBIN

from birdfield.capture.latency import Latency
from birdfield.errors import InputError
from birdfield.journal.clock import correct_times, last_offset_s, note_offset
from birdfield.journal.database import BUSY_S, Journal
from birdfield.journal.entries import SessionEntry
from birdfield.journal.opening import FILE, open_journal, read_journal
from birdfield.journal.queries import Selection, visits_of
from birdfield.journal.records import Candidate
from birdfield.journal.schema import APPLICATION_ID, MIGRATIONS

Opener = Callable[[Callable[[Path], Journal], Path], Journal]


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Return a function that opens a journal, which closes after the test."""
    with ExitStack() as stack:
        yield lambda how, folder: stack.enter_context(closing(how(folder)))


@pytest.fixture
def journal(tmp_path: Path, opened: Opener) -> Journal:
    journal = opened(open_journal, tmp_path / "journal")
    journal.start_session(SessionEntry("a1b2", DAWN, camera="cam", microphone="mic", boot="boot1"))
    return journal


def count(journal: Journal, table: str) -> int:
    return int(journal.database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_a_visit_comes_back_as_it_was_written(journal: Journal, opened: Opener) -> None:
    journal.add_visit(ROBIN, "a1b2")
    (row,) = visits_of(opened(read_journal, journal.folder), Selection())
    assert row.started == DAWN
    assert row.ended - DAWN == timedelta(seconds=12)
    assert (row.species, row.scientific, row.score) == (
        "Robin",
        "Erithacus rubecula",
        0.97,
    )
    assert (row.picture, row.sound, row.model) == ("evidence/a.jpg", None, "a1b2")
    assert row.candidates == (Candidate("Robin", 0.9), Candidate("Jay", 0.1))


def test_a_session_stores_the_latencies_of_its_sources(journal: Journal) -> None:
    journal.start_session(
        SessionEntry(
            "a1b2", DAWN, camera="cam", microphone="mic", boot="boot1", latency=Latency(1.5, 0.2)
        )
    )
    rows = journal.database.execute("SELECT camera_latency_s, microphone_latency_s FROM sessions")
    assert list(map(tuple, rows)) == [(0, 0), (1.5, 0.2)]


def test_times_are_utc_with_the_offset_of_local_time(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kathmandu is 5 h 45 min = 345 min ahead of UTC: 04:30 UTC is 10:15 there."""
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        journal.add_visit(ROBIN, "a1b2")
        stored = journal.database.execute("SELECT started, utc_offset_min FROM visits").fetchone()
        assert tuple(stored) == ("2026-05-01T04:30:00.000+00:00", 345)
        (row,) = visits_of(journal, Selection())
        assert row.to_json()["started"] == "2026-05-01T10:15:00.000+05:45"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_folder_is_private(journal: Journal) -> None:
    assert stat.S_IMODE(journal.folder.stat().st_mode) == 0o700
    journal.add_visit(ROBIN, "a1b2")
    for file in journal.folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_a_visit_is_written_whole_or_not_at_all(journal: Journal) -> None:
    """The evidence has an unknown kind, so the row of the visit is rolled back too."""
    bad = replace(ROBIN, evidence=(replace(ROBIN.evidence[0], kind="film"),))
    with pytest.raises(sqlite3.IntegrityError):
        journal.add_visit(bad, "a1b2")
    assert count(journal, "visits") == count(journal, "embeddings") == 0


def test_foreign_keys_hold(journal: Journal) -> None:
    journal.add_visit(ROBIN, "a1b2")
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        journal.database.execute("DELETE FROM visits")


def test_a_second_writer_is_refused_and_a_reader_is_not(journal: Journal, opened: Opener) -> None:
    with pytest.raises(InputError, match="another birdfield writes this journal"):
        open_journal(journal.folder)
    assert list(visits_of(opened(read_journal, journal.folder), Selection())) == []
    journal.close()
    opened(open_journal, journal.folder)


def test_visits_are_selected(journal: Journal) -> None:
    for hour in range(4):
        journal.add_visit(
            replace(
                ROBIN,
                started=DAWN + timedelta(hours=hour),
                evidence=(),
                species=["Robin", None, "Žluna \u2605", "Robin"][hour],
            ),
            "a1b2",
        )

    def species(selection: Selection) -> list[str | None]:
        return [row.species for row in visits_of(journal, selection)]

    assert species(Selection()) == ["Robin", None, "Žluna \u2605", "Robin"]
    assert species(Selection("Robin")) == species(Selection("rObIn")) == ["Robin", "Robin"]
    assert species(Selection("žluna \u2605")) == ["Žluna \u2605"]
    assert species(Selection("undecided")) == [None]
    assert species(Selection(since=DAWN + timedelta(hours=1), until=DAWN + timedelta(hours=3))) == [
        None,
        "Žluna \u2605",
    ]
    assert species(Selection(last=2)) == ["Žluna \u2605", "Robin"]


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


def test_a_journal_on_a_read_only_card_is_read(journal: Journal, tmp_path: Path) -> None:
    """A folder is mounted read-only on itself, in a mount namespace of its own.

    The first journal was closed. The second is a copy of an open one: its last visit is in the
    log alone, so a reader that ignored the log would lose the visit.
    """
    journal.add_visit(ROBIN, "a1b2")
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in (FILE, f"{FILE}-wal"):
        shutil.copy(journal.folder / name, copy)
    journal.close()

    def read_only(folder: Path, *command: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                "unshare",
                "-Urm",
                "sh",
                "-c",
                'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"',
                str(folder),
                *map(str, command),
            ],
            capture_output=True,
            text=True,
        )

    if shutil.which("unshare") is None or read_only(copy, "true").returncode != 0:
        pytest.skip("no read-only folder: this kernel does not allow a mount in a namespace")
    for command in ("visits", "report"):
        done = read_only(journal.folder, sys.executable, "-m", "birdfield", command, journal.folder)
        assert done.returncode == 0 and "Robin" in done.stdout, done.stderr
    done = read_only(copy, sys.executable, "-m", "birdfield", "visits", copy)
    assert (done.returncode, done.stdout) == (1, "")
    assert "copy the folder to a place where you may write" in done.stderr


def test_a_reader_that_stays_open_does_not_block_the_writer(
    journal: Journal, opened: Opener
) -> None:
    """`birdfield visits | less` is such a reader; while it lasts, the log cannot be truncated."""
    for _ in range(5):
        journal.add_visit(replace(ROBIN, evidence=()), "a1b2")
    reader = visits_of(opened(read_journal, journal.folder), Selection())
    next(reader)
    journal.add_events([(DAWN, "started", "")])
    began_s = time.monotonic()
    journal.shrink()
    assert time.monotonic() - began_s < BUSY_S / 2, "it did not wait for the reader"
    assert len(list(reader)) == 4
    journal.shrink()
    assert (journal.folder / f"{FILE}-wal").stat().st_size == 0
    waits_ms = journal.database.execute("PRAGMA busy_timeout").fetchone()[0]
    assert waits_ms == BUSY_S * 1000, "a writer still waits for another"


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


def test_the_times_of_a_boot_are_corrected_and_can_be_restored(journal: Journal) -> None:
    journal.add_visit(ROBIN, "a1b2")
    journal.start_session(SessionEntry("a1b2", DAWN, boot="boot0"))
    journal.add_visit(replace(ROBIN, evidence=()), "a1b2")
    correct_times(journal, "boot1", 7200.0)
    ours, other = sorted(visits_of(journal, Selection()), key=lambda row: row.id)
    assert ours.started == DAWN + timedelta(hours=2)
    assert ours.clock_shift_s == 7200.0
    assert other.started == DAWN and other.clock_shift_s == 0
    correct_times(journal, "boot1", -7200.0)
    assert {row.started for row in visits_of(journal, Selection())} == {other.started}


def test_the_offset_of_the_clock_is_noted_by_boot(journal: Journal) -> None:
    assert last_offset_s(journal, "boot1") is None
    note_offset(journal, 1234.5)
    assert last_offset_s(journal, "boot1") == 1234.5 and last_offset_s(journal, "boot2") is None


def test_a_folder_without_a_journal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no journal here; expected a folder that a watch"):
        read_journal(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="no journal can be written here"):
        open_journal(tmp_path / "file")


def test_the_file_has_the_application_id(journal: Journal) -> None:
    assert journal.database.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID


def test_a_killed_writer_harms_nothing(tmp_path: Path) -> None:
    figures = kill_writers(tmp_path, kills=8, seed=5)
    assert figures.corrupt == figures.lost == 0
    assert figures.committed > 8, "the writers were killed while they wrote"


@pytest.mark.parametrize(
    "damage",
    [
        "candidates = '[[\"Rob'",
        "candidates = '{\"a\": 1}'",
        "started = '2026-05-01T04:3\x13'",
        "score = 'high'",
        "utc_offset_min = 999999",
        "senses = 7",
    ],
)
def test_a_damaged_row_is_left_out_and_logged(
    journal: Journal, opened: Opener, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One of three rows has a value that a worn card changed; SQLite's check does not see it."""
    for _ in range(3):
        journal.add_visit(replace(ROBIN, evidence=()), "a1b2")
    journal.database.execute(f"UPDATE visits SET {damage} WHERE id = 2")
    found = list(visits_of(opened(read_journal, journal.folder), Selection()))
    assert sorted(visit.id for visit in found) == [1, 3]
    assert "visit 2 is damaged, and left out" in caplog.text


def test_damaged_bytes_of_a_name_become_replacement_characters(
    journal: Journal, opened: Opener
) -> None:
    journal.add_visit(ROBIN, "a1b2")
    journal.database.execute("UPDATE visits SET species = CAST(x'ff6f62696e' AS TEXT)")
    (visit,) = visits_of(opened(read_journal, journal.folder), Selection())
    assert visit.species == "\N{REPLACEMENT CHARACTER}obin"
