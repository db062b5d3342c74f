"""Station: `birdfield watch` in its own process, with a clock that a test can set."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from waiting import wait_for

from birdfield.errors import InputError
from birdfield.journal.database import Journal
from birdfield.journal.opening import read_journal
from birdfield.journal.queries import Selection, events_of, visits_of
from birdfield.journal.records import EventRecord, VisitRecord

PROGRAM = Path(__file__).with_name("shifted_clock.py")


@dataclass(frozen=True)
class Usage:
    """What a process uses."""

    memory_mb: float
    threads: int
    descriptors: int

    def __str__(self) -> str:
        return f"{self.memory_mb:.0f} MB, {self.threads} threads, {self.descriptors} descriptors"


class Station:
    """A `watch --journal` that a test starts and stops.

    Attributes:
        journal: The folder of the journal.
        log: The file with the log.
        command: The command.
        process: The process; None before the start.
    """

    def __init__(
        self,
        folder: Path,
        bundle: Path,
        camera: str,
        microphone: str,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare a station in a folder; `env` replaces the environment."""
        folder.mkdir(parents=True, exist_ok=True)
        self.journal = folder / "journal"
        self._clock, self._out = folder / "clock", folder / "answers.jsonl"
        self.log = folder / "log"
        self.command = [
            sys.executable,
            str(PROGRAM),
            str(self._clock),
            "watch",
            "--model",
            str(bundle),
            "--camera",
            camera,
            "--microphone",
            microphone,
            "--journal",
            str(self.journal),
            "--gap",
            "4",
            "--json",
        ]
        self._env = None if env is None else dict(env)
        self.process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self) -> Iterator["Station"]:
        """Run the station; it must not end before the block does, and must then stop in order."""
        with self._out.open("wb") as out, self.log.open("wb") as log:
            self.process = subprocess.Popen(self.command, stdout=out, stderr=log, env=self._env)
        try:
            yield self
            self._is_running()
        except BaseException:
            self.process.send_signal(signal.SIGUSR1)
            time.sleep(1)
            print(self.log.read_text()[-6000:], file=sys.stderr)
            raise
        finally:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def usage(self) -> Usage:
        """Return what the process uses now."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        fields = {
            line.split(":")[0]: line.split()[1]
            for line in status.splitlines()
            if line.startswith(("VmRSS", "Threads"))
        }
        return Usage(
            int(fields["VmRSS"]) * 1024 / 1e6,
            int(fields["Threads"]),
            len(list(Path(f"/proc/{self.process.pid}/fd").iterdir())),
        )

    def peak_mb(self) -> float:
        """Return the peak of the resident memory, in MB of 1,000,000 bytes."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
        return int(peak) * 1024 / 1e6

    def set_clock(self, wrong_s: float) -> None:
        """Set the error of the station's wall clock."""
        self._clock.write_text(str(wrong_s))

    def visits(self) -> list[VisitRecord]:
        """Return the visits of the journal."""
        with self._journal() as journal:
            return list(visits_of(journal, Selection())) if journal else []

    def events(self) -> list[EventRecord]:
        """Return the events of the journal."""
        with self._journal() as journal:
            return list(events_of(journal, None, None)) if journal else []

    @contextmanager
    def _journal(self) -> Iterator[Journal | None]:
        """Open the journal; yield None before the station has created it."""
        try:
            journal = read_journal(self.journal)
        except InputError:
            yield None
            return
        with closing(journal):
            yield journal

    def count(self, kind: str) -> int:
        """Return the number of events of a kind."""
        return len(self.details(kind))

    def details(self, kind: str) -> list[str]:
        """Return the details of the events of a kind."""
        return [event.detail for event in self.events() if event.kind == kind]

    def answers(self, sense: str) -> int:
        """Return the number of answers that used a sense."""
        count = 0
        for line in self._out.read_bytes().splitlines():
            with suppress(json.JSONDecodeError):  # a line that is being written
                count += sense in json.loads(line)["senses"]
        return count

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition; fail the test after a timeout, or when the station has ended."""
        wait_for(lambda: self._is_running() and condition(), what)

    def wait_answer(self, sense: str) -> None:
        """Wait for another answer that uses a sense."""
        before = self.answers(sense)
        self.wait(lambda: self.answers(sense) > before, f"an answer by {sense}")

    def wait_events(self, kind: str, count: int) -> None:
        """Wait until there are this many events of a kind."""
        self.wait(lambda: self.count(kind) >= count, f"event no. {count} {kind!r}")

    def _is_running(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the station has ended: {self.log.read_text()[-400:]}"
        return True
