"""Journal kills: kills a writer at random moments, and counts what is lost.

Run: python tests/support/journal_kills.py FOLDER [KILLS]
"""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from birdfield.journal.entries import EvidenceFile, SessionEntry, VisitEntry
from birdfield.journal.opening import FILE, open_journal
from birdfield.model.sense import Sense
from birdfield.recognise.decide import Agreement

MAX_DELAY_S = 0.15  # from the first committed visit of a writer to its end


@dataclass
class Figures:
    """The results of the kills.

    Attributes:
        kills: The number of kills.
        committed: The number of visits whose commit the writer reported.
        corrupt: The number of journals that failed a check.
        lost: The number of committed visits that are missing.
    """

    kills: int = 0
    committed: int = 0
    corrupt: int = 0
    lost: int = 0


def write_until_killed(folder: Path, first: int) -> None:
    """Write visits with a file of evidence each; print the number of each after its commit."""
    journal = open_journal(folder)
    now = datetime.now(UTC)
    journal.start_session(SessionEntry("a1b2", now, camera="camera", boot="boot"))
    (folder / "evidence").mkdir(exist_ok=True)
    for number in range(first, first + 1_000_000):
        path = f"evidence/{number}.jpg"
        (folder / path).write_bytes(bytes(2000))
        entry = VisitEntry(
            "Robin",
            None,
            now,
            now + timedelta(seconds=9),
            float(number),
            number + 9.0,
            0.9,
            Sense.IMAGE,
            Agreement.SINGLE,
            4,
            (("Robin", 1.0),),
            {Sense.IMAGE: bytes(512)},
        )
        journal.add_visit(
            replace(entry, evidence=(EvidenceFile("picture", path, 2000, 0.9, 0.0, 5.0),)), "a1b2"
        )
        print(number, flush=True)


def kill_writers(folder: Path, kills: int, seed: int) -> Figures:
    """Start a writer, kill it by SIGKILL at a random moment and check the journal, repeatedly."""
    rng = random.Random(seed)
    figures = Figures()
    committed: list[int] = []
    for _ in range(kills):
        first = max(committed, default=0) + 1000
        with subprocess.Popen(
            [sys.executable, __file__, "--write", folder / "journal", str(first)],
            stdout=subprocess.PIPE,
            text=True,
        ) as writer:
            assert writer.stdout is not None
            head = writer.stdout.readline()
            time.sleep(rng.uniform(0, MAX_DELAY_S))
            writer.send_signal(signal.SIGKILL)
            # A line without its end was not reported completely, and does not count.
            lines = [line for line in [head, *writer.stdout] if line.endswith("\n")]
        committed += [int(line) for line in lines]
        figures.kills += 1
        _check(folder / "journal", committed, figures)
    figures.committed = len(committed)
    return figures


def _check(folder: Path, committed: list[int], figures: Figures) -> None:
    """Check the journal after a kill, and add what was found to the figures."""
    database = sqlite3.connect(folder / FILE)
    found = database.execute("PRAGMA integrity_check").fetchone()[0]
    numbers = {int(row[0]) for row in database.execute("SELECT start_s FROM visits")}
    paths = {str(row[0]) for row in database.execute("SELECT path FROM evidence")}
    figures.corrupt += found != "ok" or any(
        (folder / path).stat().st_size != 2000 for path in paths
    )
    figures.lost = len(set(committed) - numbers)
    database.close()


def main() -> None:
    """Kill writers, and print the figures."""
    if sys.argv[1] == "--write":
        write_until_killed(Path(sys.argv[2]), int(sys.argv[3]))
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    figures = kill_writers(Path(sys.argv[1]), kills, seed=0)
    print(
        f"{figures.kills} kills: {figures.corrupt} corrupt, {figures.lost} of "
        f"{figures.committed} committed visits lost"
    )
    sys.exit(bool(figures.corrupt or figures.lost))


if __name__ == "__main__":
    main()
