"""Supervisor: reads a live source in a thread, and opens it again when it is lost or hangs."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Literal

HANG_S = 20.0  # a read without a tick for this long hangs: a library's own timeout may not work
MAX_HANGING_THREADS = 4  # at this number, no new read starts until one of the threads ends
POLL_S = 0.2  # between two checks of a read
FIRST_RETRY_S = 1.0  # wait after the first loss; doubles with each failure
MAX_RETRY_S = 30.0  # longest wait; a source that worked this long starts at FIRST_RETRY_S again
CLOSE_TIMEOUT_S = 2.0  # how long `close` waits for a running read

SourceKind = Literal["camera", "microphone"]

log = logging.getLogger(__name__)


class Outage:
    """The losses of one live source: logged once each, with growing waits between retries.

    Attributes:
        reason: Why the source is lost, such as "has hung for 20 s"; None while it works.
    """

    def __init__(self, kind: SourceKind, name: str) -> None:
        """Start with a source that works.

        Args:
            kind: The kind of the source.
            name: The source's name, without a password: the log shows it.
        """
        self.reason: str | None = None
        self._kind, self._name = kind, name
        self._wait_s = FIRST_RETRY_S
        self._worked = False  # a source that never worked is awaited, not lost
        self._recovered_s = time.monotonic()

    def report_loss(self, reason: str) -> float:
        """Log a new loss, and return the seconds to wait before the next attempt."""
        if self.reason is None:
            self.reason = reason
            state = f"{self._kind} lost" if self._worked else f"waiting for the {self._kind}"
            log.warning("%s: %s %s; trying again", state, self._name, reason)
            # A source that fails again soon keeps its long wait, which also limits the log.
            if time.monotonic() - self._recovered_s >= MAX_RETRY_S:
                self._wait_s = FIRST_RETRY_S
        wait_s, self._wait_s = self._wait_s, min(2 * self._wait_s, MAX_RETRY_S)
        return wait_s

    def report_recovery(self) -> None:
        """Log that the source works, where it did not before."""
        worked, self._worked = self._worked, True
        if self.reason is not None:
            log.info("%s %s", self._kind, "is back" if worked else "found")
            self.reason, self._recovered_s = None, time.monotonic()


class ReadAttempt:
    """One attempt to open and read a source; it ends when the source is lost, hangs or is closed.

    Attributes:
        reason: Why the attempt ended, for the log.
        retry_soon: Whether the next attempt follows after FIRST_RETRY_S, not after a longer wait.
        finished: Set when the reading thread has returned.
    """

    def __init__(self, reason: str, closing: threading.Event) -> None:
        """Start an attempt.

        Args:
            reason: Why the attempt ends, until the read returns another reason.
            closing: Set when the source is closed.
        """
        self.reason = reason
        self.retry_soon = False
        self.finished = threading.Event()
        self._closing = closing
        self._abandoned = False
        self._ticked_s = time.monotonic()

    @property
    def cancelled(self) -> bool:
        """Whether the reading thread must stop, and its data must not be used."""
        return self._abandoned or self._closing.is_set()

    def tick(self) -> None:
        """Record that the source delivered data."""
        self._ticked_s = time.monotonic()

    def since_tick_s(self) -> float:
        """Return the seconds since the last tick."""
        return time.monotonic() - self._ticked_s

    def abandon(self) -> None:
        """Cancel the attempt, and leave its thread to end by itself."""
        self._abandoned = True


class SourceSupervisor:
    """Opens and reads a source until it is closed: again after each loss and each hang.

    Attributes:
        outage: The source's losses.
        hang_count: How many reads hung.
    """

    def __init__(
        self, kind: SourceKind, name: str, read: Callable[[ReadAttempt], str], hang_s: float
    ) -> None:
        """Start reading.

        Args:
            kind: The kind of the source.
            name: The source's name, without a password: the log shows it.
            read: Opens and reads the source until it is lost or the attempt is cancelled; calls
                the attempt's `tick` for all data that arrives; returns why the source was lost,
                as a phrase that follows the name.
            hang_s: A read without a tick for this long hangs.
        """
        self.outage = Outage(kind, name)
        self.hang_count = 0
        self._kind, self._read, self._hang_s = kind, read, hang_s
        self._hanging: list[threading.Thread] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{kind} supervisor", daemon=True)
        self._thread.start()

    @property
    def has_hanging_thread(self) -> bool:
        """Whether the thread of an abandoned attempt still runs."""
        return any(thread.is_alive() for thread in self._hanging)

    def _run(self) -> None:
        while not self._closing.is_set():
            attempt = self._attempt()
            if not self._closing.is_set():
                wait_s = self.outage.report_loss(attempt.reason)
                self._closing.wait(FIRST_RETRY_S if attempt.retry_soon else wait_s)

    def _attempt(self) -> ReadAttempt:
        """Read the source once in a new thread, and return the attempt when it has ended."""
        attempt = ReadAttempt("cannot be read", self._closing)
        self._hanging = [thread for thread in self._hanging if thread.is_alive()]
        if len(self._hanging) >= MAX_HANGING_THREADS:
            return attempt
        thread = threading.Thread(
            target=self._run_read, args=(attempt,), name=self._kind, daemon=True
        )
        thread.start()
        while not attempt.finished.wait(POLL_S) and not self._closing.is_set():
            if attempt.since_tick_s() >= self._hang_s:
                attempt.abandon()
                self._hanging.append(thread)
                self.hang_count += 1
                attempt.reason = f"has hung for {self._hang_s:g} s"
                break
        if self._closing.is_set():
            thread.join(CLOSE_TIMEOUT_S)
        return attempt

    def _run_read(self, attempt: ReadAttempt) -> None:
        try:
            reason = self._read(attempt)
            if not attempt.cancelled:
                attempt.reason = reason
        except Exception as error:  # of a library; the next attempt follows all the same
            attempt.reason = f"cannot be read ({type(error).__name__})"
            log.debug("unexpected error in the %s", self._kind, exc_info=error)
        finally:
            attempt.finished.set()

    def close(self) -> None:
        """Stop reading; a thread that hangs ends by itself, or with the process."""
        self._closing.set()
        self._thread.join(2 * CLOSE_TIMEOUT_S)
