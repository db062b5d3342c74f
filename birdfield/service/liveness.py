"""The sign of life of a watch: it beats with each window, and stops when the analysis stops."""

import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from birdfield.errors import EXIT_STALLED, UsageError
from birdfield.service.sd_notify import Notifier, watchdog_s
from birdfield.service.status import WRITE_S, remove_status, sweep, write_status
from birdfield.watch.window import Window

OWN_SHARE = 0.75  # of the manager's patience, after which a watch ends itself with a trace
POLLS = 12  # looks at the heart in that time: a process that was suspended counts few

log = logging.getLogger(__name__)


def patience_s() -> float | None:
    """Tell after how long without a window a watch ends itself; None for never.

    It is BIRDFIELD_WATCHDOG_S, else a share of what the service manager's watchdog waits.

    Raises:
        UsageError: When BIRDFIELD_WATCHDOG_S is no number of seconds.
    """
    wanted = os.environ.get("BIRDFIELD_WATCHDOG_S")
    if wanted is None:
        manager_s = watchdog_s()
        return None if manager_s is None else OWN_SHARE * manager_s
    try:
        patience = float(wanted)
    except ValueError:
        patience = 0.0
    if not 1 <= patience < 1e6:
        raise UsageError(
            f"BIRDFIELD_WATCHDOG_S is {wanted!r}; expected a number of seconds from 1 on"
        )
    return patience


def abort() -> None:
    """Write where each thread is, and end the process with EXIT_STALLED."""
    faulthandler.dump_traceback(sys.stderr, all_threads=True)
    os._exit(EXIT_STALLED)  # a thread that hangs would never let the interpreter end


class LivenessMonitor:
    """Tells the service manager and the status file of each window. Not thread-safe."""

    def __init__(
        self,
        notifier: Notifier,
        folder: Path,
        facts: Mapping[str, Any],
        patience: float | None,
        die: Callable[[], None] = abort,
    ) -> None:
        """Start; the first beat makes the service ready.

        Args:
            notifier: To the service manager.
            folder: Of the status file.
            facts: What the status file tells all the time.
            patience: In seconds without a beat, until `die`; None for ever.
            die: Ends the process.
        """
        self._notifier, self._folder, self.abort = notifier, folder, die
        self._entry: dict[str, Any] = {
            "started": _now(),
            "windows": 0,
            "skipped": 0,
            "visits": 0,
            "last": None,
            "faults": {},
            **facts,
        }
        sweep(folder)
        self._written_s = -WRITE_S
        self._beats = 0
        self._complained = False
        self._stop = threading.Event()
        self._thread = None
        if patience is not None:
            self._thread = threading.Thread(
                target=self._listen, args=(patience,), name="heart", daemon=True
            )
            self._thread.start()

    def tick(self, window: Window, skipped: int, visits: int) -> None:
        """Tell that a window is done, how many were left out, and how many visits were written."""
        if not self._beats:
            self._notifier.send(READY=1)
        self._beats += 1
        changed = dict(window.faults) != self._entry["faults"]
        self._entry |= {
            "windows": self._beats,
            "skipped": skipped,
            "visits": visits,
            "faults": dict(window.faults),
        }
        decision = window.observation.decision if window.observation else None
        if decision is not None and decision.species is not None:
            self._entry["last"] = {
                "species": decision.species,
                "score": round(decision.score, 4),
                "senses": list(decision.senses),
                "time": _now(),
            }
        self._notifier.send(WATCHDOG=1, STATUS=self._words())
        if changed or time.monotonic() - self._written_s >= WRITE_S:
            self._write()

    def _words(self) -> str:
        last, faults = self._entry["last"], self._entry["faults"]
        lost = ", ".join(f"{name} {fault}" for name, fault in faults.items() if fault)
        return "; ".join(
            filter(
                None,
                (f"{last['species']} at {last['time'][11:19]} UTC" if last else "watching", lost),
            )
        )

    def _write(self) -> None:
        self._written_s = time.monotonic()
        try:
            write_status(self._folder, {**self._entry, "updated": _now()})
        except OSError as error:
            if not self._complained:
                log.warning("%s: no status can be written (%s)", self._folder, error.strerror)
            self._complained = True

    def _listen(self, patience: float) -> None:
        missed, beats = 0, 0
        while not self._stop.wait(patience / POLLS):
            # Before the first beat the model is being opened, which the start's own limit bounds.
            missed = missed + 1 if self._beats == beats and beats else 0
            beats = self._beats
            if missed >= POLLS:
                log.critical(
                    "the analysis stands still for %.0f s: ending, to be started again", patience
                )
                self.abort()
                return

    def close(self) -> None:
        """Tell the end."""
        self._stop.set()
        self._notifier.send(STOPPING=1)
        self._notifier.close()
        remove_status(self._folder)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
