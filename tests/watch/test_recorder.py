import logging
import shutil
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile
from stages import (
    ENCODER,
    GALLERY,
    NOON,
    RATE_HZ,
    WINDOW_S,
    events,
    recorder,
    visits,
    window,
)

from birdfield.errors import InputError
from birdfield.journal.database import open_journal, read_journal
from birdfield.journal.queries import events_of
from birdfield.journal.retention import Retention
from birdfield.settings.quiet_hours import QuietHours
from birdfield.settings.rules import LiveRules, Rules
from birdfield.watch.overruns import LATE, SOUND
from birdfield.watch.recorder import Recorder, Settings
from birdfield.watch.scene import DECISION_S


def files_of(folder: Path) -> list[str]:
    return sorted(path.suffix for path in (folder / "evidence").rglob("*") if path.is_file())


def embeddings(folder: Path) -> dict[str, np.ndarray]:
    with closing(read_journal(folder)) as journal:
        return {
            row["sense"]: np.frombuffer(row["vector"], "<f4")
            for row in journal.database.execute("SELECT sense, vector FROM embeddings")
        }


def test_a_visit_is_written_with_its_evidence(tmp_path: Path) -> None:
    """Heard from 0 s; windows 0 to 3 end at 12.5 s. The best sound begins a window earlier."""
    stage = recorder(tmp_path)
    for number in range(4):
        stage.take(window(number, seen=60, heard=60))
    stage.close()
    (visit,) = visits(tmp_path)
    assert (visit["species"], visit["senses"], visit["agreement"]) == ("Robin", "both", "agree")
    assert datetime.fromisoformat(str(visit["started"])) == NOON
    assert datetime.fromisoformat(str(visit["ended"])) == NOON + timedelta(seconds=12.495)
    assert files_of(tmp_path) == [".flac", ".jpg", ".png"]
    assert {sense: vector.shape for sense, vector in embeddings(tmp_path).items()} == {
        "image": (128,),
        "audio": (128,),
    }
    assert [kind for kind, _ in events(tmp_path)] == ["started", "stopped"]


def test_the_best_sound_has_what_came_before_it(tmp_path: Path) -> None:
    """The tone of window 2 is clearest; its sound begins at 4.8 s, with pre-roll at 2.4 s.

    The sound tells its time: sample 0 is 0.024, the last 0.01 x (4.8 + 5.295) = 0.10095.
    """
    stage = recorder(tmp_path)
    for number, angle in enumerate((66, 64, 60, 66)):
        stage.take(window(number, heard=angle))
    stage.close()
    (visit,) = visits(tmp_path)
    heard, rate_hz = soundfile.read(tmp_path / str(visit["sound"]))
    assert (rate_hz, len(heard)) == (RATE_HZ, round((DECISION_S + WINDOW_S) * RATE_HZ))
    np.testing.assert_allclose(heard[[0, -1]], [0.024, 0.10095], atol=1e-4)
    np.testing.assert_allclose(np.diff(heard), 0.01 / RATE_HZ, atol=1 / 32_768), "one piece"


def test_of_speech_and_its_neighbours_no_sound_is_kept(tmp_path: Path) -> None:
    """Somebody speaks in windows 5 and 6: what overlaps [9.6, 22.1) is not kept."""
    stage = recorder(tmp_path)
    for number in range(12):
        # The Robin sings clearest when somebody speaks.
        stage.take(window(number, heard=60 if number in (5, 6) else 65, spoken=number in (5, 6)))
    stage.close()
    (visit,) = visits(tmp_path)
    assert visit["windows"] == 12
    with closing(read_journal(tmp_path)) as journal:
        spans = journal.database.execute("SELECT start_s, end_s FROM evidence").fetchall()
    assert spans and all(end_s <= 9.6 or start_s >= 22.0 for start_s, end_s in spans)
    np.testing.assert_allclose(
        embeddings(tmp_path)["audio"][:2],
        [np.cos(np.radians(65)), np.sin(np.radians(65))],
        atol=1e-5,
    )


def test_a_visit_with_speech_all_along_has_a_row_and_pictures_only(tmp_path: Path) -> None:
    stage = recorder(tmp_path)
    for number in range(6):
        stage.take(window(number, seen=60, heard=60, spoken=True))
    stage.close()
    (visit,) = visits(tmp_path)
    assert visit["senses"] == "both"
    assert files_of(tmp_path) == [".jpg"] and set(embeddings(tmp_path)) == {"image"}
    assert events(tmp_path)[-1] == ("stopped", "6 windows of sound were withheld for speech")


def test_whoever_wants_voices_keeps_them(tmp_path: Path) -> None:
    stage = recorder(tmp_path, Settings(keep_voices=True))
    for number in range(3):
        stage.take(window(number, heard=60, spoken=True))
    stage.close()
    assert files_of(tmp_path) == [".flac", ".png"]


def test_frames_are_kept_of_birds_only(tmp_path: Path) -> None:
    """At 250 degrees is no species; a single window of a Jay is no visit."""
    stage = recorder(tmp_path)
    for number in range(5):
        stage.take(window(number, seen=0 if number == 2 else 250))
    stage.close()
    assert visits(tmp_path) == [] and not (tmp_path / "evidence").exists()


def test_a_source_that_is_lost_and_back_is_an_event(tmp_path: Path) -> None:
    stage = recorder(tmp_path)
    for number, fault in enumerate((None, "no frame", "no frame", "has hung for 20 s", None)):
        stage.take(window(number, heard=60, faults={"camera": fault, "microphone": None}))
    stage.close()
    assert events(tmp_path)[1:4] == [
        ("camera lost", "no frame"),
        ("camera still lost", "has hung for 20 s"),
        ("camera back", "usable again"),
    ]


def test_what_was_lost_is_an_event_a_stretch(tmp_path: Path) -> None:
    """Dropped at windows 2, 3 and 12, 24 s later, then not for more than a minute, and again at 60.

    Window 2 ends at 4.8 + 5.295 s, and window 12 24 s later; 60 is open in the end.
    """
    stage = recorder(tmp_path)
    counts = {2: 1, 3: 3, 12: 4, 60: 6}
    for number in range(62):
        count = max((count for since, count in counts.items() if since <= number), default=0)
        stage.take(window(number, overruns={SOUND: count, LATE: 0}))
    stage.close()
    with closing(read_journal(tmp_path)) as journal:
        told = [
            (row["kind"], row["detail"], datetime.fromisoformat(row["time"]))
            for row in events_of(journal, None, None)
        ][1:-1]
    assert told == [
        (
            SOUND,
            "4 times the sound system dropped samples, within 24 s",
            NOON + timedelta(seconds=10.095),
        ),
        (
            SOUND,
            "2 times the sound system dropped samples, within 0 s",
            NOON + timedelta(seconds=149.295),
        ),
    ]


@pytest.mark.parametrize("hours", [2, -2])
def test_a_jump_of_the_clock_is_noticed_and_earlier_rows_are_corrected(
    tmp_path: Path, hours: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The first visit is over at 12.5 s; the clock jumps in the second, which began at 72 s."""
    jump_s = hours * 3600
    stage = recorder(tmp_path)
    for number in [*range(4), *range(4, 30)]:
        stage.take(window(number, seen=60 if number < 4 else None))
    for number in range(30, 36):
        stage.take(window(number, seen=0, clock_s=jump_s if number >= 33 else 0.0))
    stage.close()
    first, second = visits(tmp_path)
    assert datetime.fromisoformat(str(first["started"])) == NOON + timedelta(
        seconds=WINDOW_S - DECISION_S + jump_s
    )
    assert first["clock_shift_s"] == jump_s
    assert datetime.fromisoformat(str(second["started"])) == NOON + timedelta(
        seconds=72 + WINDOW_S - DECISION_S + jump_s
    )
    assert second["clock_shift_s"] == 0 and second["windows"] == 6, "pooled as if nothing had been"
    assert ("clock jumped", f"{jump_s:+.1f} s") in events(tmp_path)
    assert any(
        message.startswith(f"the clock jumped by {jump_s:+.0f} s") for message in caplog.messages
    )


def test_a_clock_that_is_slewed_does_not_jump(tmp_path: Path) -> None:
    """NTP slews by at most 0.5 ms a second: 1.2 ms a window."""
    stage = recorder(tmp_path)
    for number in range(3000):
        stage.take(window(number, clock_s=0.0012 * number))
    stage.close()
    assert [kind for kind, _ in events(tmp_path)] == ["started", "stopped"]


def test_a_jump_between_two_sessions_of_a_boot_is_noticed(tmp_path: Path) -> None:
    stage = recorder(tmp_path, clock_offset_s=lambda: 1000.0)
    for number in range(3):
        stage.take(window(number, seen=60))
    stage.close()
    recorder(tmp_path, clock_offset_s=lambda: 1000.5).close()
    assert visits(tmp_path)[0]["clock_shift_s"] == 0
    recorder(tmp_path, clock_offset_s=lambda: 8200.0).close()
    assert visits(tmp_path)[0]["clock_shift_s"] == pytest.approx(7199.5)


def test_a_jump_before_the_first_window_is_noticed(tmp_path: Path) -> None:
    """The network sets the clock 1 h ahead while the first 5 s are listened to."""
    stage = recorder(tmp_path, Settings(5.0))
    for number in range(10):
        stage.take(window(number, seen=0 if number < 3 else None))
    stage.close()
    offset_s = 0.0
    stage = recorder(tmp_path, clock_offset_s=lambda: offset_s)
    offset_s = 3600.0
    stage.take(window(0, clock_s=3600.0))
    stage.close()
    assert visits(tmp_path)[0]["clock_shift_s"] == 3600
    assert [detail for kind, detail in events(tmp_path) if kind == "clock jumped"] == ["+3600.0 s"]


def test_a_machine_that_sleeps_between_two_sessions_has_no_clock_that_jumps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sleep of 20,000 s stops the monotonic clock, and no other."""

    def session() -> None:
        stage = Recorder(open_journal(tmp_path), ENCODER, GALLERY, "a1b2")
        stage.start(NOON, None, None)
        for number in range(3):
            stage.take(window(number, seen=60))
        stage.close()

    session()
    awake_s = time.monotonic
    monkeypatch.setattr("time.monotonic", lambda: awake_s() - 20_000)
    session()
    assert [row["clock_shift_s"] for row in visits(tmp_path)] == [0, 0]
    assert "clock jumped" not in [kind for kind, _ in events(tmp_path)]


@pytest.mark.parametrize("set_s", [0.0, 7200.0])
def test_a_sleep_ends_visits_and_moves_no_time(tmp_path: Path, set_s: float) -> None:
    """Before window 10 the machine sleeps for 20,000 s; a Robin was there and still is.

    What the clock is set by at window 20 is a jump all the same, and what is before moves by it.
    """
    stage, slept_s = recorder(tmp_path, Settings(5.0)), 20_000.0
    for number in range(24):
        asleep_s = 0.0 if number < 10 else slept_s
        stage.take(
            window(
                number,
                seen=60 if number in (0, 1, 2, *range(7, 13)) else None,
                clock_s=asleep_s + (set_s if number >= 20 else 0.0),
                slept_s=asleep_s,
                overruns={SOUND: min(number, 9), LATE: 0},
            )
        )
    stage.close()

    def since_noon_s(time: object) -> float:
        return (datetime.fromisoformat(str(time)) - NOON).total_seconds() - set_s

    def end_s(number: int) -> float:
        return number * DECISION_S + WINDOW_S

    found = [
        (since_noon_s(row["started"]), since_noon_s(row["ended"]), row["clock_shift_s"])
        for row in visits(tmp_path)
    ]
    assert found == [
        pytest.approx((end_s(first - 1) + asleep_s, end_s(last) + asleep_s, set_s), abs=0.002)
        for first, last, asleep_s in ((0, 2, 0), (7, 9, 0), (10, 12, slept_s))
    ]
    with closing(read_journal(tmp_path)) as journal:
        (dropped,) = [row for row in events_of(journal, None, None) if row["kind"] == SOUND]
    assert since_noon_s(dropped["time"]) == pytest.approx(end_s(1), abs=0.002)
    jumps = [detail for kind, detail in events(tmp_path) if kind == "clock jumped"]
    assert jumps == ([f"{set_s:+.1f} s"] if set_s else [])


def test_a_time_zone_that_is_set_while_watching_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a minute; a visit begins at 12:00:02.9 UTC, and one at 12:02:02.9, 17:47 there."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        stage = recorder(tmp_path, Settings(5.0))
        for number in range(70):
            if number == 20:
                patch.setenv("TZ", "Asia/Kathmandu")
            stage.take(window(number, seen=0 if number % 50 in range(3) else None))
        stage.close()
    time.tzset()
    assert [str(row["started"])[10:16] + str(row["started"])[-6:] for row in visits(tmp_path)] == [
        "T12:00+00:00",
        "T17:47+05:45",
    ]


def test_files_have_no_clock_that_jumps(tmp_path: Path) -> None:
    stage = recorder(tmp_path, live=False)
    for number in range(4):
        stage.take(window(number, seen=60, clock_s=1000.0 * number))
    stage.close()
    assert [kind for kind, _ in events(tmp_path)] == ["started", "stopped"]


def test_what_a_kill_left_without_a_row_is_deleted(tmp_path: Path) -> None:
    stage = recorder(tmp_path)
    for number in range(3):
        stage.take(window(number, seen=60, heard=60))
    stage.close()
    known = files_of(tmp_path)
    day = next((tmp_path / "evidence").iterdir())
    (day / "120000_Robin_0badcafe.jpg").write_bytes(b"half")
    recorder(tmp_path).close()
    assert files_of(tmp_path) == known
    assert ("orphans deleted", "1 files that no visit names") in events(tmp_path)


def test_in_quiet_hours_no_visit_is_recorded(tmp_path: Path) -> None:
    """On the equator the sun is up at noon UTC at 0 degrees east, and down at 180."""
    for name, longitude in (("day", 0.0), ("night", 180.0)):
        stage = recorder(
            tmp_path / name, rules=LiveRules(Rules(quiet=QuietHours(longitude=longitude)))
        )
        for number in range(3):
            stage.take(window(number, seen=60))
        stage.close()
    assert len(visits(tmp_path / "day")) == 1 and visits(tmp_path / "night") == []


def test_what_somebody_deleted_is_noted(tmp_path: Path) -> None:
    stage = recorder(tmp_path)
    for number in range(3):
        stage.take(window(number, seen=60, heard=60))
    stage.close()
    (tmp_path / str(visits(tmp_path)[0]["picture"])).unlink()
    recorder(tmp_path).close()
    (visit,) = visits(tmp_path)
    assert visit["picture"] is None and visit["sound"] is not None
    assert ("evidence missing", "1 files that visits name") in events(tmp_path)


def test_visits_of_a_journal_that_cannot_be_written_wait(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite itself says that the disk is full: its file may not grow by a page.

    Each species is there for 7.2 s, and away for 14.4 s: 40 visits of each.
    """
    journal = open_journal(tmp_path)
    stage = Recorder(
        journal,
        ENCODER,
        GALLERY,
        "a1b2",
        Settings(5.0, retention=Retention(free=0)),
        clock_offset_s=lambda: 0.0,
    )
    stage.start(NOON, None, None)
    pages = journal.database.execute("PRAGMA page_count").fetchone()[0]
    journal.database.execute(f"PRAGMA max_page_count = {pages}")
    number = 0
    for angle in (0, 60, 120) * 40:
        for _ in range(3):
            stage.take(window(number, seen=angle))
            number += 1
    assert any("the journal cannot be written" in message for message in caplog.messages)
    journal.database.execute("PRAGMA max_page_count = 100000")
    for _ in range(60):
        stage.take(window(number))
        number += 1
    stage.close()
    assert len(visits(tmp_path)) == 40 * 3
    kinds = [kind for kind, _ in events(tmp_path)]
    assert kinds.index("disk full") < kinds.index("disk has room")
    with closing(read_journal(tmp_path)) as opened:
        paths = [tmp_path / path for path in opened.evidence_paths()]
    assert all(path.exists() for path in paths)
    assert len(files_of(tmp_path)) == len(paths), "nothing is left without a row"


def test_a_journal_that_cannot_be_begun_is_said_so(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.database.execute("DROP TABLE sessions")
    with closing(journal), pytest.raises(InputError, match="the journal cannot be written"):
        Recorder(journal, ENCODER, GALLERY, "a1b2").start(NOON, None, None)


def test_a_visit_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stage = recorder(tmp_path)
    for number in range(3):
        stage.take(window(number, seen=60))
    stage.close()
    assert any(
        message.startswith("visit: Robin, 12:00:02 to 12:00:10, 0.99 by image")
        for message in caplog.messages
    )


def test_a_folder_that_goes_away_does_not_end_the_watch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As when a stick is pulled: the journal's own file is still open, and gone with it."""
    stage = recorder(tmp_path / "stick", Settings(5.0))
    for number in range(3):
        stage.take(window(number, seen=60, heard=60))
    shutil.rmtree(tmp_path / "stick")
    for number in range(3, 40):
        stage.take(window(number, seen=60 if number % 10 < 3 else None))
    stage.close()
    assert any(message.startswith("disk full: 0 MB are free") for message in caplog.messages)


def test_what_waits_moves_with_the_clock(tmp_path: Path) -> None:
    """The journal refuses a visit that began at 12:00:02; then the clock is set 2 h ahead."""
    journal = open_journal(tmp_path)
    stage = Recorder(journal, ENCODER, GALLERY, "a1b2", Settings(5.0), clock_offset_s=lambda: 0.0)
    stage.start(NOON, None, None)
    journal.database.execute("PRAGMA query_only = ON")
    for number in range(20):
        stage.take(window(number, seen=60 if number < 3 else None))
    journal.database.execute("PRAGMA query_only = OFF")
    stage.take(window(20, clock_s=7200.0))
    stage.close()
    (visit,) = visits(tmp_path)
    assert datetime.fromisoformat(str(visit["started"])) == NOON + timedelta(
        seconds=WINDOW_S - DECISION_S + 7200
    )
