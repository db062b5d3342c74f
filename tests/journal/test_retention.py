"""Retention: the limits of evidence, and a full disk."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which

import numpy as np
import pytest
from journal_rows import ROBIN
from recorder_scene import events, start_recorder, visits, window

from birdfield.journal.database import Journal
from birdfield.journal.entries import EvidenceFile, SessionEntry
from birdfield.journal.opening import open_journal
from birdfield.journal.retention import DiskGuard, Retention
from birdfield.recognise.decide import Agreement
from birdfield.watch.recorder import RecorderSettings

NOW = datetime(2026, 5, 31, tzinfo=UTC)
MB = 1_000_000
SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(open_journal(tmp_path / "journal")) as opened:
        opened.start_session(SessionEntry("a1b2", NOW))
        yield opened


def add(
    journal: Journal,
    days_ago: float,
    score: float = 0.9,
    species: str | None = "Robin",
    agreement: Agreement = Agreement.SINGLE,
    size: int = 1000,
) -> int:
    """Write a visit with one file of evidence, and return its id."""
    path = f"evidence/{len(journal.evidence_paths())}-{days_ago}.jpg"
    (journal.folder / "evidence").mkdir(exist_ok=True)
    (journal.folder / path).write_bytes(bytes(size))
    started = NOW - timedelta(days=days_ago)
    return journal.add_visit(
        replace(
            ROBIN,
            species=species,
            started=started,
            score=score,
            agreement=agreement,
            embeddings={},
            evidence=(EvidenceFile("picture", path, size, score, 0, 5),),
        ),
        "a1b2",
    )


def with_evidence(journal: Journal) -> set[int]:
    """Return the visits that have evidence; each file must have a row, and each row a file."""
    for path in journal.evidence_paths():
        assert (journal.folder / path).is_file()
    files = sum(path.is_file() for path in (journal.folder / "evidence").rglob("*"))
    rows = journal.database.execute("SELECT visit FROM evidence WHERE deleted IS NULL").fetchall()
    assert files == len(rows)
    return {row["visit"] for row in rows}


def count(journal: Journal) -> int:
    return int(journal.database.execute("SELECT count(*) FROM visits").fetchone()[0])


def test_old_evidence_is_deleted_except_the_best_and_rows_stay(journal: Journal) -> None:
    """Of the Robins older than 7 days, those with the scores 0.99 and 0.98 stay."""
    old = [add(journal, 10 + number, score) for number, score in enumerate((0.9, 0.99, 0.95, 0.98))]
    young = add(journal, 6, 0.5)
    wren = add(journal, 20, 0.1, "Wren")
    undecided = add(journal, 20, 0.99, None)
    assert DiskGuard(journal, Retention(max_days=7, min_free_bytes=0, best=2)).purge(NOW) == 3
    assert with_evidence(journal) == {old[1], old[3], young, wren}
    assert count(journal) == 7 and undecided not in with_evidence(journal)


def test_the_oldest_evidence_is_deleted_above_the_size(journal: Journal) -> None:
    """Of five files of 1,000 bytes, 3,100 bytes may stay: three files."""
    ids = [add(journal, days) for days in (5, 1, 4, 2, 3)]
    assert DiskGuard(journal, Retention(max_bytes=3100, min_free_bytes=0, best=0)).purge(NOW) == 2
    assert with_evidence(journal) == {ids[1], ids[3], ids[4]}


def test_agreeing_senses_are_better_than_a_higher_score(journal: Journal) -> None:
    both = add(journal, 9, 0.8, agreement=Agreement.AGREE)
    add(journal, 8, 0.99)
    assert DiskGuard(journal, Retention(max_days=1, min_free_bytes=0, best=1)).purge(NOW) == 1
    assert with_evidence(journal) == {both}


def test_evidence_is_deleted_until_enough_space_is_free(journal: Journal) -> None:
    """Each file frees 1 MB, so that from 3 to 5 MB the two oldest are deleted."""
    ids = [add(journal, days) for days in (4, 3, 2, 1)]

    def free(_: Path) -> int:
        return 3 * MB + (4 - len(list((journal.folder / "evidence").glob("*")))) * MB

    assert DiskGuard(journal, Retention(min_free_bytes=5 * MB, best=0), free).purge(NOW) == 2
    assert with_evidence(journal) == set(ids[2:])


def test_a_full_disk_pauses_evidence_until_there_is_room(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    """100 MB should stay free; evidence resumes at 110 MB, so that it does not alternate."""
    left = [200 * MB]
    disk = DiskGuard(journal, Retention(min_free_bytes=100 * MB), lambda _: left[0])
    states = []
    for megabytes in (200, 99, 50, 105, 111, 105):
        left[0] = megabytes * MB
        states.append((disk.check(NOW), disk.paused))
    assert states == [
        (None, False),
        ("disk full", True),
        (None, True),
        (None, True),
        ("disk has room", False),
        (None, False),
    ]
    assert caplog.messages == [
        "disk full: 99 MB are free, of 100 MB that should stay free; recognition continues "
        "without keeping pictures and sounds",
        "disk has room again: 111 MB are free; pictures and sounds are kept",
    ]


def test_a_full_disk_stays_paused_with_a_limit_of_zero(journal: Journal) -> None:
    """0 free bytes are not less than a limit of 0, but no evidence fits: 1 MB is the least."""
    left = 0
    disk = DiskGuard(journal, Retention(min_free_bytes=0), lambda _: left)
    assert disk.note_full() == "disk full"
    assert disk.check(NOW) is None and disk.paused
    left = 2 * MB
    assert disk.check(NOW) == "disk has room"


def test_the_best_visits_are_not_queried_within_the_limits(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To rank the visits of a season takes seconds, and a station checks its disk each minute."""
    add(journal, 9, size=1000)
    disk = DiskGuard(journal, Retention(max_bytes=1000, min_free_bytes=MB), lambda _: 2 * MB)
    monkeypatch.setattr(disk, "_deletable", None)
    assert disk.purge(NOW) == 0


def test_a_purge_by_size_leaves_a_margin_for_new_evidence(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 202 files of 1,000 bytes, 201,000 bytes may stay; 0.99 of that are 198 files."""
    for number in range(202):
        add(journal, 300 - number)
    disk = DiskGuard(journal, Retention(max_bytes=201_000, min_free_bytes=0, best=0))
    assert disk.purge(NOW) == 4
    add(journal, 1)
    monkeypatch.setattr(disk, "_deletable", None)
    assert disk.purge(NOW) == 0


def test_the_age_is_checked_once_an_hour_and_after_a_jump_of_the_clock(
    journal: Journal,
) -> None:
    disk = DiskGuard(journal, Retention(max_days=7, min_free_bytes=0, best=0))
    assert disk.purge(NOW) == 0
    add(journal, 8)
    assert disk.purge(NOW + timedelta(minutes=59)) == 0
    assert disk.purge(NOW + timedelta(minutes=60)) == 1
    add(journal, 9)
    assert disk.purge(NOW - timedelta(hours=1)) == 1


def test_the_best_evidence_stays_on_a_full_disk(journal: Journal) -> None:
    best = add(journal, 9)
    disk = DiskGuard(journal, Retention(min_free_bytes=100 * MB, best=1), lambda _: 0)
    assert disk.check(NOW) == "disk full" and with_evidence(journal) == {best}


@pytest.mark.slow
def test_a_small_disk_that_is_filled_and_freed(tmp_path: Path) -> None:
    """The disk is a file system of 4 MB in a mount namespace of its own, which needs no root.

    While another program fills the disk, the two best visits of each species keep their evidence,
    and none of the 120 visits is lost. 1 MB stays free, less the size of one visit.
    """
    if (
        which("unshare") is None
        or subprocess.run(
            ["unshare", "-Urm", "mount", "-t", "tmpfs", "tmpfs", tmp_path], capture_output=True
        ).returncode
    ):
        pytest.skip("no small disk: this kernel does not allow a tmpfs in a namespace")
    python = [sys.executable, str(SUPPORT / "small_disk.py"), str(tmp_path)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(
            (str(SUPPORT), str(SUPPORT.parents[1]), os.environ.get("PYTHONPATH", ""))
        ),
    }
    done = subprocess.run(
        [
            "unshare",
            "-Urm",
            "sh",
            "-c",
            'mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@"',
            str(tmp_path),
            *python,
        ],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["size"] == 4 * 1024 * 1024 and seen["full"]
    early, paused, freed = seen["before"], seen["paused"], seen["freed"]
    assert early["free"] > 0.8 * MB and min(early["evidence"].values()) > 2
    assert early["events"] == ["started"]
    assert paused["evidence"] == {"Jay": 2, "Robin": 2, "Wren": 2}
    assert freed["visits"] == 120 and seen["check"] == "ok"
    assert freed["events"] == ["started", "disk full", "disk has room", "stopped"]
    assert min(freed["evidence"].values()) > 2, "evidence is kept again"


def test_a_failed_write_loses_the_evidence_and_not_the_visit(tmp_path: Path) -> None:
    """A limit of 150 kB a file refuses pictures of noise, which are larger, but not the journal.

    The first visit ends 30 s after 10.1 s, when window 17 begins; the speech gate is 4 windows
    behind.
    """
    stage = start_recorder(tmp_path, RecorderSettings(retention=Retention(min_free_bytes=0)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = np.random.default_rng(0).integers(0, 255, (600, 800, 3)).astype(np.uint8)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
    try:
        for number in range(24):
            seen = 60 if number < 3 else None
            stage.add(replace(window(number, seen=seen), frame=None if seen is None else noise))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.rglob("*.jpg")) == []
    for number in range(24, 60):
        stage.add(window(number, seen=60 if number > 55 else None))
    stage.close()
    assert [bool(visit.picture) for visit in visits(tmp_path)] == [False, True]
    assert [kind for kind, _ in events(tmp_path)] == [
        "started",
        "disk full",
        "disk has room",
        "stopped",
    ]
