"""A watchdog: a live source is read in a thread of its own, and in another when that one hangs."""

import logging
import threading
import time
from collections.abc import Callable

HANG_S = 20.0  # without anything although nothing has failed: a library's own timeouts may not work
MAX_HANGING = 4  # threads that may hang at once; no more are started until one of them ends
POLL_S = 0.2
FIRST_RETRY_S = 1.0  # after a live source was lost; doubles with each failure
LAST_RETRY_S = 30.0  # the longest wait; a source that worked this long starts at the first again
CLOSE_S = 2.0  # how long closing waits for a read that is under way

log = logging.getLogger(__name__)


class Outage:
    """One live source's losses: each is logged once, and retried less and less often.

    Attributes:
        reason: How the source was lost, such as "has hung for 20 s"; None while it is not.
    """

    def __init__(self, what: str, name: str) -> None:
        """Watch over what, "camera" or "microphone", of a name that the log may hold."""
        self.reason: str | None = None
        self._what, self._name = what, name
        self._wait_s = FIRST_RETRY_S
        self._back_s = time.monotonic()

    def lost(self, reason: str) -> float:
        """Log the loss unless it is known; returns the seconds to wait before the next try."""
        if self.reason is None:
            self.reason = reason
            log.warning("%s lost: %s %s; trying again", self._what, self._name, reason)
            # A source that comes and goes keeps its long wait, and so the log its measure.
            if time.monotonic() - self._back_s >= LAST_RETRY_S:
                self._wait_s = FIRST_RETRY_S
        wait_s, self._wait_s = self._wait_s, min(2 * self._wait_s, LAST_RETRY_S)
        return wait_s

    def working(self) -> None:
        """Log the return after a loss."""
        if self.reason is not None:
            log.info("%s is back", self._what)
            self.reason, self._back_s = None, time.monotonic()


class ReadAttempt:
    """One try at a source: from before it is opened until it is lost, hangs or is closed.

    Attributes:
        reason: Why it ended, for the log.
        at_once: Whether the next try needs no waiting.
    """

    def __init__(self, reason: str, closing: threading.Event) -> None:
        """Begin; the reason holds until there is a better one."""
        self.reason = reason
        self.at_once = False
        self.done = threading.Event()
        self._closing = closing
        self._abandoned = False
        self._beat_s = time.monotonic()

    @property
    def over(self) -> bool:
        """Whether nobody wants to know any more what this thread reads."""
        return self._abandoned or self._closing.is_set()

    def beat(self) -> None:
        """Tell that something was read."""
        self._beat_s = time.monotonic()

    def silent_s(self) -> float:
        """Return how long nothing was read."""
        return time.monotonic() - self._beat_s

    def abandon(self) -> None:
        """Leave the thread to itself."""
        self._abandoned = True


class SourceSupervisor:
    """Opens and reads a source for ever: again with back-off when it is lost, or when it hangs.

    Attributes:
        outage: Its losses, and what is logged of them.
        hangs: How many threads were left to themselves.
    """

    def __init__(
        self, what: str, name: str, read: Callable[[ReadAttempt], str], hang_s: float
    ) -> None:
        """Start.

        Args:
            what: "camera" or "microphone".
            name: Of the source, as the log may hold it.
            read: Opens and reads the source until it is lost, or the turn is over; returns how
                it was lost, to follow the name. Calls the turn's `beat` for whatever comes.
            hang_s: Without a beat for so long, the thread counts as hanging.
        """
        self.outage = Outage(what, name)
        self.hangs = 0
        self._what, self._read, self._hang_s = what, read, hang_s
        self._hanging: list[threading.Thread] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{what} watchdog", daemon=True)
        self._thread.start()

    @property
    def hanging(self) -> bool:
        """Whether a thread that was left to itself still hangs."""
        return any(thread.is_alive() for thread in self._hanging)

    def _run(self) -> None:
        while not self._stop.is_set():
            turn = self._take_turn()
            if not self._stop.is_set():
                wait_s = self.outage.lost(turn.reason)
                self._stop.wait(FIRST_RETRY_S if turn.at_once else wait_s)

    def _take_turn(self) -> ReadAttempt:
        turn = ReadAttempt("cannot be read", self._stop)
        self._hanging = [thread for thread in self._hanging if thread.is_alive()]
        if len(self._hanging) >= MAX_HANGING:
            return turn
        thread = threading.Thread(target=self._try, args=(turn,), name=self._what, daemon=True)
        thread.start()
        while not turn.done.wait(POLL_S) and not self._stop.is_set():
            if turn.silent_s() >= self._hang_s:
                turn.abandon()
                self._hanging.append(thread)
                self.hangs += 1
                turn.reason = f"has hung for {self._hang_s:g} s"
                break
        if self._stop.is_set():
            thread.join(CLOSE_S)
        return turn

    def _try(self, turn: ReadAttempt) -> None:
        try:
            reason = self._read(turn)
            if not turn.over:
                turn.reason = reason
        finally:  # also after an error that nobody foresaw: the next try is due all the same
            turn.done.set()

    def close(self) -> None:
        """Stop reading; a thread that hangs is left to end by itself."""
        self._stop.set()
        self._thread.join(2 * CLOSE_S)
