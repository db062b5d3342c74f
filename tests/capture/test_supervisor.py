"""Sources that hang, fail and recover, read by real threads."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from waiting import wait_for

from birdfield.capture.supervisor import MAX_HANGING_THREADS, ReadAttempt, SourceSupervisor


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Wait 10 ms before the first retry, and 20 ms before later ones."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("birdfield.capture.supervisor.FIRST_RETRY_S", 0.01)
    monkeypatch.setattr("birdfield.capture.supervisor.MAX_RETRY_S", 0.02)
    monkeypatch.setattr("birdfield.capture.supervisor.POLL_S", 0.01)


@contextmanager
def supervising(
    read: Callable[[ReadAttempt], str], hang_s: float = 1.0
) -> Iterator[SourceSupervisor]:
    supervisor = SourceSupervisor("camera", "cam", read, hang_s)
    try:
        yield supervisor
    finally:
        supervisor.close()


def test_a_read_that_hangs_is_abandoned_and_the_source_reopened(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The first read blocks until the test releases it; the second reads until it is closed."""
    attempts: list[ReadAttempt] = []
    release, ticked = threading.Event(), threading.Event()

    def read(attempt: ReadAttempt) -> str:
        attempts.append(attempt)
        if len(attempts) == 1:
            release.wait()
            assert attempt.cancelled, "its attempt is cancelled"
            return "too late"
        while not attempt.cancelled:
            attempt.tick()
            supervisor.outage.report_recovery()
            ticked.wait(0.005)
        return "closed"

    with supervising(read) as supervisor:
        wait_for(lambda: "camera found" in caplog.messages, "the return")
        release.set()
        assert supervisor.hang_count == 1 and len(attempts) == 2
    assert caplog.messages == [
        "waiting for the camera: cam has hung for 1 s; trying again",
        "camera found",
    ]


def test_the_number_of_hanging_threads_is_limited() -> None:
    """Each read hangs: the fifth starts when one of the four has ended."""
    releases: list[threading.Event] = []

    def read(attempt: ReadAttempt) -> str:
        release = threading.Event()
        releases.append(release)
        release.wait()
        return "released"

    with supervising(read, 0.02) as supervisor:
        wait_for(lambda: supervisor.hang_count == MAX_HANGING_THREADS, "four threads that hang")
        wait_for(lambda: len(releases) == MAX_HANGING_THREADS, "their reads")
        releases[0].set()
        wait_for(lambda: len(releases) == MAX_HANGING_THREADS + 1, "the fifth")
        for release in releases:
            release.set()


def test_a_read_that_raises_an_unexpected_error_is_retried(
    caplog: pytest.LogCaptureFixture,
) -> None:
    attempts: list[ReadAttempt] = []

    def read(attempt: ReadAttempt) -> str:
        attempts.append(attempt)
        raise ZeroDivisionError

    with supervising(read):
        wait_for(lambda: len(attempts) >= 3, "three attempts")
    assert caplog.messages == [
        "waiting for the camera: cam cannot be read (ZeroDivisionError); trying again"
    ]


def test_closing_ends_a_read() -> None:
    ended = threading.Event()

    def read(attempt: ReadAttempt) -> str:
        while not attempt.cancelled:
            attempt.tick()
        ended.set()
        return "closed"

    with supervising(read):
        pass
    assert ended.is_set()
