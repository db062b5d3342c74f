"""Liveness monitor: reports each window of a watch, and ends a watch that has stalled."""

import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from birdfield.errors import EXIT_STALLED, UsageError
from birdfield.recognise.decide import Decision
from birdfield.service.sd_notify import Notifier, watchdog_s
from birdfield.service.status import LastAnswer, Status, now_utc
from birdfield.service.status_files import (
    WRITE_S,
    remove_stale_statuses,
    remove_status,
    write_status,
)
from birdfield.settings.values import parse_number
from birdfield.watch.window import Window

WATCHDOG_SHARE = 0.75  # of the manager's timeout: the watch ends first, and logs a stack trace
POLLS = 12  # checks within the timeout; a process that was suspended misses few of them

log = logging.getLogger(__name__)


def stall_timeout_s() -> float | None:
    """Return the time without a window after which a watch ends itself; None for never.

    It is BIRDFIELD_WATCHDOG_S, else WATCHDOG_SHARE of the service manager's timeout.

    Raises:
        UsageError: When BIRDFIELD_WATCHDOG_S is not a number of seconds.
    """
    text = os.environ.get("BIRDFIELD_WATCHDOG_S")
    if text is None:
        manager_s = watchdog_s()
        return None if manager_s is None else WATCHDOG_SHARE * manager_s
    try:
        timeout_s = parse_number(text)
    except ValueError:
        timeout_s = 0.0
    if not 1 <= timeout_s < 1e6:
        raise UsageError(
            f"BIRDFIELD_WATCHDOG_S is {text!r}; expected a number of seconds from 1 on"
        )
    return timeout_s


def abort() -> None:
    """Write the stack of each thread to stderr, and end the process with EXIT_STALLED."""
    faulthandler.dump_traceback(sys.stderr, all_threads=True)
    os._exit(EXIT_STALLED)  # the interpreter's own exit would wait for the thread that hangs


class LivenessMonitor:
    """Reports the windows of a watch to the service manager and the status file.

    Not thread-safe.
    """

    def __init__(
        self,
        notifier: Notifier,
        folder: Path,
        status: Status,
        timeout_s: float | None,
        abort: Callable[[], None] = abort,
    ) -> None:
        """Start to monitor; the first tick reports that the service is ready.

        Args:
            notifier: The notifier for the service manager.
            folder: The folder of the status file.
            status: The status before the first window.
            timeout_s: The time without a tick after which to abort; None for never.
            abort: Ends the process.
        """
        self._notifier, self._folder, self._status = notifier, folder, status
        self.abort = abort
        remove_stale_statuses(folder)
        self._written_s = -WRITE_S
        self._write_failed = False
        self._stop = threading.Event()
        self._thread = None
        if timeout_s is not None:
            self._thread = threading.Thread(
                target=self._monitor, args=(timeout_s,), name="liveness", daemon=True
            )
            self._thread.start()

    def tick(self, window: Window, dropped: int, visits: int) -> None:
        """Report a window.

        Args:
            window: The window that has been processed.
            dropped: The number of windows dropped so far.
            visits: The number of visits written so far.
        """
        if not self._status.windows:
            self._notifier.send({"READY": "1"})
        faults_changed = dict(window.faults) != self._status.faults
        answer = _last_answer(window.observation.decision) if window.observation else None
        self._status = replace(
            self._status,
            windows=self._status.windows + 1,
            dropped=dropped,
            visits=visits,
            faults=dict(window.faults),
            last=answer or self._status.last,
        )
        self._notifier.send({"WATCHDOG": "1", "STATUS": self._summary()})
        if faults_changed or time.monotonic() - self._written_s >= WRITE_S:
            self._write()

    def _summary(self) -> str:
        """Return the status as one line for the service manager."""
        last, faults = self._status.last, self._status.faults
        answer = f"{last.species} at {last.time:%H:%M:%S} UTC" if last else "watching"
        lost = ", ".join(f"{name} {fault}" for name, fault in faults.items() if fault)
        return f"{answer}; {lost}" if lost else answer

    def _write(self) -> None:
        self._written_s = time.monotonic()
        try:
            write_status(self._folder, replace(self._status, updated=now_utc()))
        except OSError as error:
            if not self._write_failed:
                log.warning("%s: the status cannot be written (%s)", self._folder, error.strerror)
            self._write_failed = True

    def _monitor(self, timeout_s: float) -> None:
        missed, windows = 0, 0
        while not self._stop.wait(timeout_s / POLLS):
            # The timeout of the service's start covers the time before the first window.
            missed = missed + 1 if self._status.windows == windows and windows else 0
            windows = self._status.windows
            if missed >= POLLS:
                log.critical(
                    "the analysis has stalled for %.0f s; this process ends so that it can be "
                    "restarted",
                    timeout_s,
                )
                self.abort()
                return

    def close(self) -> None:
        """Report the end of the watch."""
        self._stop.set()
        self._notifier.send({"STOPPING": "1"})
        self._notifier.close()
        remove_status(self._folder, self._status.pid)


def _last_answer(decision: Decision) -> LastAnswer | None:
    if decision.species is None:
        return None
    score = round(decision.score, 4)
    return LastAnswer(decision.species, score, tuple(decision.senses), now_utc())
