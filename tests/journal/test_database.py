"""The journal: what it writes, and what a transaction holds together."""

import sqlite3
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from journal_rows import DAWN, ROBIN, Opener

from birdfield.capture.latency import Latency
from birdfield.journal.database import BUSY_S, Journal
from birdfield.journal.entries import EventEntry, SessionEntry
from birdfield.journal.opening import FILE, read_journal
from birdfield.journal.queries import Selection, visits_of
from birdfield.journal.records import Candidate


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


def test_a_reader_that_stays_open_does_not_block_the_writer(
    journal: Journal, opened: Opener
) -> None:
    """`birdfield visits | less` is such a reader; while it lasts, the log cannot be truncated."""
    for _ in range(5):
        journal.add_visit(replace(ROBIN, evidence=()), "a1b2")
    reader = visits_of(opened(read_journal, journal.folder), Selection())
    next(reader)
    journal.add_events([EventEntry(DAWN, "started", "")])
    began_s = time.monotonic()
    journal.shrink()
    assert time.monotonic() - began_s < BUSY_S / 2, "it did not wait for the reader"
    assert len(list(reader)) == 4
    journal.shrink()
    assert (journal.folder / f"{FILE}-wal").stat().st_size == 0
    waits_ms = journal.database.execute("PRAGMA busy_timeout").fetchone()[0]
    assert waits_ms == BUSY_S * 1000, "a writer still waits for another"
