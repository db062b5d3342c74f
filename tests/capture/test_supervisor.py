"""Sources that hang, fail and come back, read by real threads."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from devices import wait_for

from birdfield.capture.supervisor import MAX_HANGING, ReadAttempt, SourceSupervisor


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Try again after 10 ms at first, 20 ms at last."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("birdfield.capture.supervisor.FIRST_RETRY_S", 0.01)
    monkeypatch.setattr("birdfield.capture.supervisor.LAST_RETRY_S", 0.02)
    monkeypatch.setattr("birdfield.capture.supervisor.POLL_S", 0.01)


@contextmanager
def guarding(read: Callable[[ReadAttempt], str], hang_s: float = 1.0) -> Iterator[SourceSupervisor]:
    watchdog = SourceSupervisor("camera", "cam", read, hang_s)
    try:
        yield watchdog
    finally:
        watchdog.close()


def test_a_read_that_hangs_is_left_and_the_source_opened_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The first read never comes back by itself; the second reads on and on."""
    turns: list[ReadAttempt] = []
    release, beaten = threading.Event(), threading.Event()

    def read(turn: ReadAttempt) -> str:
        turns.append(turn)
        if len(turns) == 1:
            release.wait()
            assert turn.over, "nobody wants to know what it read"
            return "too late"
        while not turn.over:
            turn.beat()
            watchdog.outage.working()
            beaten.wait(0.005)
        return "closed"

    with guarding(read) as watchdog:
        wait_for(lambda: "camera is back" in caplog.messages, "the return")
        release.set()
        assert watchdog.hangs == 1 and len(turns) == 2
    assert caplog.messages == ["camera lost: cam has hung for 1 s; trying again", "camera is back"]


def test_no_more_threads_are_started_than_may_hang() -> None:
    """Each read hangs: the fifth begins when one of the four has ended."""
    releases: list[threading.Event] = []

    def read(turn: ReadAttempt) -> str:
        release = threading.Event()
        releases.append(release)
        release.wait()
        return "released"

    with guarding(read, 0.02) as watchdog:
        wait_for(lambda: watchdog.hangs == MAX_HANGING, "four threads that hang")
        wait_for(lambda: len(releases) == MAX_HANGING, "their reads")
        releases[0].set()
        wait_for(lambda: len(releases) == MAX_HANGING + 1, "the fifth")
        for release in releases:
            release.set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_read_that_fails_in_an_unforeseen_way_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tries: list[ReadAttempt] = []

    def read(turn: ReadAttempt) -> str:
        tries.append(turn)
        raise ZeroDivisionError

    with guarding(read):
        wait_for(lambda: len(tries) >= 3, "three tries")
    assert caplog.messages == ["camera lost: cam cannot be read; trying again"]


def test_closing_ends_a_read() -> None:
    ended = threading.Event()

    def read(turn: ReadAttempt) -> str:
        while not turn.over:
            turn.beat()
        ended.set()
        return "closed"

    with guarding(read):
        pass
    assert ended.is_set()
