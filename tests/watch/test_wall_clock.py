"""Wall clock: jumps, sleep and time zones, and the times that a journal stores."""

import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from recorder_scene import (
    NOON,
    RECOGNISER,
    SOURCES,
    WINDOW_S,
    events,
    start_recorder,
    visits,
    window,
)

from birdfield.journal.opening import open_journal, read_journal
from birdfield.journal.queries import events_of
from birdfield.watch.overruns import DROPPED, SOUND_OVERRUN
from birdfield.watch.recorder import Recorder, RecorderSettings
from birdfield.watch.window import WINDOW_STEP_S


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
