"""Journal writer: the start of a session, and a journal that cannot be written."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from recorder_scene import (
    NOON,
    RECOGNISER,
    SOURCES,
    events,
    evidence_suffixes,
    start_recorder,
    visits,
    window,
)

from birdfield.errors import InputError
from birdfield.journal.opening import open_journal, read_journal
from birdfield.journal.retention import Retention
from birdfield.watch.recorder import Recorder, RecorderSettings


def test_the_start_deletes_evidence_without_a_row(tmp_path: Path) -> None:
    recorder = start_recorder(tmp_path)
    for number in range(3):
        recorder.add(window(number, seen=60, heard=60))
    recorder.close()
    before = evidence_suffixes(tmp_path)
    day = next((tmp_path / "evidence").iterdir())
    (day / "120000_Robin_0badcafe.jpg").write_bytes(b"half")
    start_recorder(tmp_path).close()
    assert evidence_suffixes(tmp_path) == before
    assert ("orphans deleted", "1 files that no visit names") in events(tmp_path)


def test_the_start_notes_deleted_evidence(tmp_path: Path) -> None:
    recorder = start_recorder(tmp_path)
    for number in range(3):
        recorder.add(window(number, seen=60, heard=60))
    recorder.close()
    (tmp_path / str(visits(tmp_path)[0].picture)).unlink()
    start_recorder(tmp_path).close()
    (visit,) = visits(tmp_path)
    assert visit.picture is None and visit.sound is not None
    assert ("evidence missing", "1 files that visits name") in events(tmp_path)


def test_visits_wait_while_the_journal_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A limit on pages lets SQLite report a full disk.

    Each species is present for 7.2 s and absent for 14.4 s: 40 visits of each.
    """
    journal = open_journal(tmp_path)
    settings = RecorderSettings(gap_s=5.0, retention=Retention(min_free_bytes=0))
    recorder = Recorder(journal, RECOGNISER, SOURCES, settings, lambda: 0.0)
    recorder.start(NOON)
    pages = journal.database.execute("PRAGMA page_count").fetchone()[0]
    journal.database.execute(f"PRAGMA max_page_count = {pages}")
    number = 0
    for angle in (0, 60, 120) * 40:
        for _ in range(3):
            recorder.add(window(number, seen=angle))
            number += 1
    assert any("the journal cannot be written" in message for message in caplog.messages)
    journal.database.execute("PRAGMA max_page_count = 100000")
    for _ in range(60):
        recorder.add(window(number))
        number += 1
    recorder.close()
    assert len(visits(tmp_path)) == 40 * 3
    kinds = [kind for kind, _ in events(tmp_path)]
    assert kinds.index("disk full") < kinds.index("disk has room")
    with closing(read_journal(tmp_path)) as opened:
        paths = [tmp_path / path for path in opened.evidence_paths()]
    assert all(path.exists() for path in paths)
    assert len(evidence_suffixes(tmp_path)) == len(paths), "every file has a row"


def test_a_session_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.database.execute("DROP TABLE sessions")
    with closing(journal), pytest.raises(InputError, match="the journal cannot be written"):
        Recorder(journal, RECOGNISER, SOURCES).start(NOON)


def test_a_lost_folder_does_not_end_the_watch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As with a USB stick that is pulled: the journal's file is open, but deleted."""
    recorder = start_recorder(tmp_path / "stick", RecorderSettings(gap_s=5.0))
    for number in range(3):
        recorder.add(window(number, seen=60, heard=60))
    shutil.rmtree(tmp_path / "stick")
    for number in range(3, 40):
        recorder.add(window(number, seen=60 if number % 10 < 3 else None))
    recorder.close()
    assert any(message.startswith("disk full: 0 MB are free") for message in caplog.messages)
