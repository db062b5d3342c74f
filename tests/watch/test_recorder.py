"""Recorder: visits, evidence and events in the journal, whatever disk and clock do."""

import logging
import shutil
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile
from recorder_scene import (
    NOON,
    RATE_HZ,
    RECOGNISER,
    SOURCES,
    WINDOW_S,
    events,
    start_recorder,
    visits,
    window,
)

from birdfield.errors import InputError
from birdfield.journal.opening import open_journal, read_journal
from birdfield.journal.queries import events_of
from birdfield.journal.retention import Retention
from birdfield.settings.quiet_hours import QuietHours
from birdfield.settings.rules import LiveRules, Rules
from birdfield.watch.overruns import DROPPED, SOUND_OVERRUN
from birdfield.watch.recorder import Recorder, RecorderSettings
from birdfield.watch.window import WINDOW_STEP_S


def files_of(folder: Path) -> list[str]:
    return sorted(path.suffix for path in (folder / "evidence").rglob("*") if path.is_file())


def embeddings(folder: Path) -> dict[str, np.ndarray]:
    with closing(read_journal(folder)) as journal:
        return {
            row["sense"]: np.frombuffer(row["vector"], "<f4")
            for row in journal.database.execute("SELECT sense, vector FROM embeddings")
        }


def test_a_visit_is_written_with_its_evidence(tmp_path: Path) -> None:
    """The bird is heard from 0 s, and window 3 ends at 7.2 + 5.295 = 12.495 s."""
    recorder = start_recorder(tmp_path)
    for number in range(4):
        recorder.add(window(number, seen=60, heard=60))
    recorder.close()
    (visit,) = visits(tmp_path)
    assert (visit.species, visit.senses, visit.agreement) == ("Robin", "both", "agree")
    assert visit.started == NOON
    assert visit.ended == NOON + timedelta(seconds=12.495)
    assert files_of(tmp_path) == [".flac", ".jpg", ".png"]
    assert {sense: vector.shape for sense, vector in embeddings(tmp_path).items()} == {
        "image": (128,),
        "audio": (128,),
    }
    assert [kind for kind, _ in events(tmp_path)] == ["started", "stopped"]


def test_the_best_sound_starts_with_the_window_before(tmp_path: Path) -> None:
    """Window 2 has the highest score and starts at 4.8 s; window 1 starts at 2.4 s.

    Each sample is 0.01 x its time: the first 0.024, the last 0.01 x (4.8 + 5.295) = 0.10095.
    """
    recorder = start_recorder(tmp_path)
    for number, angle in enumerate((66, 64, 60, 66)):
        recorder.add(window(number, heard=angle))
    recorder.close()
    (visit,) = visits(tmp_path)
    heard, rate_hz = soundfile.read(tmp_path / str(visit.sound))
    assert (rate_hz, len(heard)) == (RATE_HZ, round((WINDOW_STEP_S + WINDOW_S) * RATE_HZ))
    np.testing.assert_allclose(heard[[0, -1]], [0.024, 0.10095], atol=1e-4)
    np.testing.assert_allclose(np.diff(heard), 0.01 / RATE_HZ, atol=1 / 32_768), "one piece"


def test_no_sound_of_speech_or_its_neighbours_is_kept(tmp_path: Path) -> None:
    """Somebody speaks in windows 5 and 6, [12, 19.7): with a margin of 2.4 s, [9.6, 22.1)."""
    recorder = start_recorder(tmp_path)
    for number in range(12):
        # The windows with speech have the highest score for the Robin.
        recorder.add(window(number, heard=60 if number in (5, 6) else 65, spoken=number in (5, 6)))
    recorder.close()
    (visit,) = visits(tmp_path)
    assert visit.windows == 12
    with closing(read_journal(tmp_path)) as journal:
        spans = journal.database.execute("SELECT start_s, end_s FROM evidence").fetchall()
    assert spans and all(end_s <= 9.6 or start_s >= 22.0 for start_s, end_s in spans)
    np.testing.assert_allclose(
        embeddings(tmp_path)["audio"][:2],
        [np.cos(np.radians(65)), np.sin(np.radians(65))],
        atol=1e-5,
    )


def test_a_visit_with_speech_throughout_keeps_pictures_only(tmp_path: Path) -> None:
    recorder = start_recorder(tmp_path)
    for number in range(6):
        recorder.add(window(number, seen=60, heard=60, spoken=True))
    recorder.close()
    (visit,) = visits(tmp_path)
    assert visit.senses == "both"
    assert files_of(tmp_path) == [".jpg"] and set(embeddings(tmp_path)) == {"image"}
    assert events(tmp_path)[-1] == ("stopped", "6 windows of sound were withheld for speech")


def test_with_keep_voices_sound_with_speech_is_kept(tmp_path: Path) -> None:
    recorder = start_recorder(tmp_path, RecorderSettings(keep_voices=True))
    for number in range(3):
        recorder.add(window(number, heard=60, spoken=True))
    recorder.close()
    assert files_of(tmp_path) == [".flac", ".png"]


def test_without_a_visit_no_frame_is_kept(tmp_path: Path) -> None:
    """250 degrees is far from all species, and one window of a Jay alone is no visit."""
    recorder = start_recorder(tmp_path)
    for number in range(5):
        recorder.add(window(number, seen=0 if number == 2 else 250))
    recorder.close()
    assert visits(tmp_path) == [] and not (tmp_path / "evidence").exists()


def test_the_loss_and_the_return_of_a_source_are_events(tmp_path: Path) -> None:
    recorder = start_recorder(tmp_path)
    for number, fault in enumerate((None, "no frame", "no frame", "has hung for 20 s", None)):
        recorder.add(window(number, heard=60, faults={"camera": fault, "microphone": None}))
    recorder.close()
    assert events(tmp_path)[1:4] == [
        ("camera lost", "no frame"),
        ("camera still lost", "has hung for 20 s"),
        ("camera back", "usable again"),
    ]


def test_each_series_of_losses_is_one_event(tmp_path: Path) -> None:
    """Sound is lost in windows 2, 3 and 12, and again in window 60, more than a minute later.

    Window 2 ends at 4.8 + 5.295 = 10.095 s, and window 12 24 s later. The second series is open at
    the end.
    """
    recorder = start_recorder(tmp_path)
    counts = {2: 1, 3: 3, 12: 4, 60: 6}
    for number in range(62):
        count = max((count for since, count in counts.items() if since <= number), default=0)
        recorder.add(window(number, overruns={SOUND_OVERRUN: count, DROPPED: 0}))
    recorder.close()
    with closing(read_journal(tmp_path)) as journal:
        recorded = [(row.kind, row.detail, row.time) for row in events_of(journal, None, None)][
            1:-1
        ]
    assert recorded == [
        (
            SOUND_OVERRUN,
            "4 times the sound system dropped samples, within 24 s",
            NOON + timedelta(seconds=10.095),
        ),
        (
            SOUND_OVERRUN,
            "2 times the sound system dropped samples, within 0 s",
            NOON + timedelta(seconds=149.295),
        ),
    ]


@pytest.mark.parametrize("hours", [2, -2])
def test_a_jump_of_the_clock_corrects_earlier_rows(
    tmp_path: Path, hours: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The first visit ends at 12.5 s; the clock jumps during the second, which starts at 72 s."""
    jump_s = hours * 3600
    recorder = start_recorder(tmp_path)
    for number in [*range(4), *range(4, 30)]:
        recorder.add(window(number, seen=60 if number < 4 else None))
    for number in range(30, 36):
        recorder.add(window(number, seen=0, clock_s=jump_s if number >= 33 else 0.0))
    recorder.close()
    first, second = visits(tmp_path)
    assert first.started == NOON + timedelta(seconds=WINDOW_S - WINDOW_STEP_S + jump_s)
    assert first.clock_shift_s == jump_s
    assert second.started == NOON + timedelta(seconds=72 + WINDOW_S - WINDOW_STEP_S + jump_s)
    assert second.clock_shift_s == 0 and second.windows == 6, "the jump does not split the visit"
    assert ("clock jumped", f"{jump_s:+.1f} s") in events(tmp_path)
    assert any(
        message.startswith(f"the clock jumped by {jump_s:+.0f} s") for message in caplog.messages
    )


def test_a_slewed_clock_does_not_jump(tmp_path: Path) -> None:
    """NTP slews by at most 0.5 ms a second: 1.2 ms in a window."""
    recorder = start_recorder(tmp_path)
    for number in range(3000):
        recorder.add(window(number, clock_s=0.0012 * number))
    recorder.close()
    assert [kind for kind, _ in events(tmp_path)] == ["started", "stopped"]


def test_a_jump_between_two_sessions_of_a_boot_corrects_rows(tmp_path: Path) -> None:
    recorder = start_recorder(tmp_path, clock_offset_s=lambda: 1000.0)
    for number in range(3):
        recorder.add(window(number, seen=60))
    recorder.close()
    start_recorder(tmp_path, clock_offset_s=lambda: 1000.5).close()
    assert visits(tmp_path)[0].clock_shift_s == 0
    start_recorder(tmp_path, clock_offset_s=lambda: 8200.0).close()
    assert visits(tmp_path)[0].clock_shift_s == pytest.approx(7199.5)


def test_a_jump_before_the_first_window_corrects_rows(tmp_path: Path) -> None:
    """The network sets the clock 1 h ahead during the first window."""
    recorder = start_recorder(tmp_path, RecorderSettings(gap_s=5.0))
    for number in range(10):
        recorder.add(window(number, seen=0 if number < 3 else None))
    recorder.close()
    offset_s = 0.0
    recorder = start_recorder(tmp_path, clock_offset_s=lambda: offset_s)
    offset_s = 3600.0
    recorder.add(window(0, clock_s=3600.0))
    recorder.close()
    assert visits(tmp_path)[0].clock_shift_s == 3600
    assert [detail for kind, detail in events(tmp_path) if kind == "clock jumped"] == ["+3600.0 s"]


def test_sleep_between_two_sessions_is_not_a_jump(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sleep of 20,000 s stops only the monotonic clock."""

    def session() -> None:
        recorder = Recorder(open_journal(tmp_path), RECOGNISER, SOURCES)
        recorder.start(NOON)
        for number in range(3):
            recorder.add(window(number, seen=60))
        recorder.close()

    session()
    awake_s = time.monotonic
    monkeypatch.setattr("time.monotonic", lambda: awake_s() - 20_000)
    session()
    assert [row.clock_shift_s for row in visits(tmp_path)] == [0, 0]
    assert "clock jumped" not in [kind for kind, _ in events(tmp_path)]


@pytest.mark.parametrize("set_s", [0.0, 7200.0])
def test_sleep_ends_visits_and_moves_no_times(tmp_path: Path, set_s: float) -> None:
    """The machine sleeps for 20,000 s before window 10; a Robin is present before and after.

    Setting the clock at window 20 is a jump, and moves all earlier times.
    """
    recorder, slept_s = start_recorder(tmp_path, RecorderSettings(gap_s=5.0)), 20_000.0
    for number in range(24):
        asleep_s = 0.0 if number < 10 else slept_s
        recorder.add(
            window(
                number,
                seen=60 if number in (0, 1, 2, *range(7, 13)) else None,
                clock_s=asleep_s + (set_s if number >= 20 else 0.0),
                slept_s=asleep_s,
                overruns={SOUND_OVERRUN: min(number, 9), DROPPED: 0},
            )
        )
    recorder.close()

    def since_noon_s(time: object) -> float:
        return (datetime.fromisoformat(str(time)) - NOON).total_seconds() - set_s

    def end_s(number: int) -> float:
        return number * WINDOW_STEP_S + WINDOW_S

    found = [
        (since_noon_s(row.started), since_noon_s(row.ended), row.clock_shift_s)
        for row in visits(tmp_path)
    ]
    assert found == [
        pytest.approx((end_s(first - 1) + asleep_s, end_s(last) + asleep_s, set_s), abs=0.002)
        for first, last, asleep_s in ((0, 2, 0), (7, 9, 0), (10, 12, slept_s))
    ]
    with closing(read_journal(tmp_path)) as journal:
        (dropped,) = [row for row in events_of(journal, None, None) if row.kind == SOUND_OVERRUN]
    assert since_noon_s(dropped.time) == pytest.approx(end_s(1), abs=0.002)
    jumps = [detail for kind, detail in events(tmp_path) if kind == "clock jumped"]
    assert jumps == ([f"{set_s:+.1f} s"] if set_s else [])


def test_a_time_zone_that_is_set_while_watching_applies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It applies within a minute: 12:02:02.9 UTC is 17:47:02.9 in Kathmandu."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        recorder = start_recorder(tmp_path, RecorderSettings(gap_s=5.0))
        for number in range(70):
            if number == 20:
                patch.setenv("TZ", "Asia/Kathmandu")
            recorder.add(window(number, seen=0 if number % 50 in range(3) else None))
        recorder.close()
    time.tzset()
    starts = [row.started.isoformat() for row in visits(tmp_path)]
    assert (
        [start[10:16] + start[-6:] for start in starts]
        == [
            row.started.isoformat()[10:16] + row.started.isoformat()[-6:]
            for row in visits(tmp_path)
        ]
        == [
            "T12:00+00:00",
            "T17:47+05:45",
        ]
    )


def test_for_files_the_clock_does_not_jump(tmp_path: Path) -> None:
    recorder = start_recorder(tmp_path, live=False)
    for number in range(4):
        recorder.add(window(number, seen=60, clock_s=1000.0 * number))
    recorder.close()
    assert [kind for kind, _ in events(tmp_path)] == ["started", "stopped"]


def test_the_start_deletes_evidence_without_a_row(tmp_path: Path) -> None:
    recorder = start_recorder(tmp_path)
    for number in range(3):
        recorder.add(window(number, seen=60, heard=60))
    recorder.close()
    known = files_of(tmp_path)
    day = next((tmp_path / "evidence").iterdir())
    (day / "120000_Robin_0badcafe.jpg").write_bytes(b"half")
    start_recorder(tmp_path).close()
    assert files_of(tmp_path) == known
    assert ("orphans deleted", "1 files that no visit names") in events(tmp_path)


def test_in_quiet_hours_no_visit_is_recorded(tmp_path: Path) -> None:
    """On the equator the sun is up at noon UTC at 0 degrees east, and down at 180."""
    for name, longitude in (("day", 0.0), ("night", 180.0)):
        recorder = start_recorder(
            tmp_path / name, rules=LiveRules(Rules(quiet=QuietHours(longitude=longitude)))
        )
        for number in range(3):
            recorder.add(window(number, seen=60))
        recorder.close()
    assert len(visits(tmp_path / "day")) == 1 and visits(tmp_path / "night") == []


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
    assert len(files_of(tmp_path)) == len(paths), "every file has a row"


def test_a_session_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.database.execute("DROP TABLE sessions")
    with closing(journal), pytest.raises(InputError, match="the journal cannot be written"):
        Recorder(journal, RECOGNISER, SOURCES).start(NOON)


def test_a_visit_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    recorder = start_recorder(tmp_path)
    for number in range(3):
        recorder.add(window(number, seen=60))
    recorder.close()
    assert any(
        message.startswith("visit: Robin, 12:00:02 to 12:00:10, 0.99 by image")
        for message in caplog.messages
    )


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


def test_a_jump_of_the_clock_corrects_waiting_visits(tmp_path: Path) -> None:
    """The journal refuses a visit that began at 12:00:02; then the clock is set ahead by 2 h."""
    journal = open_journal(tmp_path)
    recorder = Recorder(journal, RECOGNISER, SOURCES, RecorderSettings(gap_s=5.0), lambda: 0.0)
    recorder.start(NOON)
    journal.database.execute("PRAGMA query_only = ON")
    for number in range(20):
        recorder.add(window(number, seen=60 if number < 3 else None))
    journal.database.execute("PRAGMA query_only = OFF")
    recorder.add(window(20, clock_s=7200.0))
    recorder.close()
    (visit,) = visits(tmp_path)
    assert visit.started == NOON + timedelta(seconds=WINDOW_S - WINDOW_STEP_S + 7200)
