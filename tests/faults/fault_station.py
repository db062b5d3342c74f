"""Station: `birdfield watch` in a process of its own, with a clock that a test can set."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from waiting import wait_for

from birdfield.errors import InputError

PROGRAM = Path(__file__).with_name("shifted_clock.py")


class Station:
    """A running `watch --journal`."""

    def __init__(
        self,
        folder: Path,
        bundle: Path,
        camera: str,
        microphone: str,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare it below a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self.journal = folder / "journal"
        self._clock, self._out = folder / "clock", folder / "answers.jsonl"
        self.log = folder / "log"
        self._command = [
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
        """Run it meanwhile; it must still be there in the end, and stop by itself."""
        with self._out.open("wb") as out, self.log.open("wb") as log:
            self.process = subprocess.Popen(self._command, stdout=out, stderr=log, env=self._env)
        try:
            yield self
            self._alive()
        except BaseException:
            self.process.send_signal(signal.SIGUSR1)
            time.sleep(1)
            print(self.log.read_text()[-6000:], file=sys.stderr)
            raise
        finally:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def weight(self) -> tuple[float, int, int]:
        """Return its resident memory in MB, its threads and its descriptors."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        fields = {
            line.split(":")[0]: line.split()[1]
            for line in status.splitlines()
            if line.startswith(("VmRSS", "Threads"))
        }
        return (
            int(fields["VmRSS"]) * 1024 / 1e6,
            int(fields["Threads"]),
            len(list(Path(f"/proc/{self.process.pid}/fd").iterdir())),
        )

    def set_clock(self, wrong_s: float) -> None:
        """Make the wall clock wrong by so much."""
        self._clock.write_text(str(wrong_s))

    def rows(self, events: bool) -> list[dict[str, Any]]:
        """Read the events or the visits that are in the journal."""
        from birdfield.journal.opening import read_journal
        from birdfield.journal.queries import Selection, events_of, visits_of

        try:
            with closing(read_journal(self.journal)) as journal:
                if events:
                    return [each.to_json() for each in events_of(journal, None, None)]
                return [each.to_json() for each in visits_of(journal, Selection())]
        except InputError:  # it is only being made
            return []

    def count(self, kind: str) -> int:
        """Count the events of a kind."""
        return len(self.details(kind))

    def details(self, kind: str) -> list[str]:
        """Read what the events of a kind say."""
        return [row["detail"] for row in self.rows(events=True) if row["kind"] == kind]

    def answers(self, sense: str) -> int:
        """Count the answers in which a sense took part."""
        count = 0
        for line in self._out.read_bytes().splitlines():
            with suppress(json.JSONDecodeError):  # one that is being written
                count += sense in json.loads(line)["senses"]
        return count

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for the station to do something; fails the test when it does not, or has died."""
        wait_for(lambda: self._alive() and condition(), what)

    def wait_answer(self, sense: str) -> None:
        """Wait for one more answer by a sense."""
        before = self.answers(sense)
        self.wait(lambda: self.answers(sense) > before, f"an answer by {sense}")

    def wait_events(self, kind: str, count: int) -> None:
        """Wait until there are so many events of a kind."""
        self.wait(lambda: self.count(kind) >= count, f"event no. {count} {kind!r}")

    def _alive(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the station died: {self.log.read_text()[-400:]}"
        return True
