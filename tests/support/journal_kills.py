"""Kills a journal's writer at random moments.

python tests/support/journal_kills.py FOLDER [KILLS]
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

LONGEST_S = 0.15  # from a writer's first committed visit to its death


@dataclass
class Figures:
    """What came of the kills: corrupt journals, committed visits that were lost."""

    kills: int = 0
    committed: int = 0
    corrupt: int = 0
    lost: int = 0


def write_for_ever(folder: Path, first: int) -> None:
    """Write visit after visit, with a file of evidence each; print a number once it is safe."""
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
            "image",
            "single",
            4,
            (("Robin", 1.0),),
            {"image": bytes(512)},
        )
        journal.add_visit(
            replace(entry, evidence=(EvidenceFile("picture", path, 2000, 0.9, 0.0, 5.0),)), "a1b2"
        )
        print(number, flush=True)


def kill_writers(folder: Path, kills: int, seed: int) -> Figures:
    """Start a writer, kill it with SIGKILL at a random moment, look at the journal; so often."""
    rng = random.Random(seed)
    figures = Figures()
    safe: list[int] = []
    for _ in range(kills):
        first = max(safe, default=0) + 1000
        with subprocess.Popen(
            [sys.executable, __file__, "--write", folder / "journal", str(first)],
            stdout=subprocess.PIPE,
            text=True,
        ) as writer:
            assert writer.stdout is not None
            head = writer.stdout.readline()
            time.sleep(rng.uniform(0, LONGEST_S))
            writer.send_signal(signal.SIGKILL)
            # A number whose line was cut off was not told, so it does not count.
            told = [line for line in [head, *writer.stdout] if line.endswith("\n")]
        safe += [int(line) for line in told]
        figures.kills += 1
        _look(folder / "journal", safe, figures)
    figures.committed = len(safe)
    return figures


def _look(folder: Path, safe: list[int], figures: Figures) -> None:
    database = sqlite3.connect(folder / FILE)
    found = database.execute("PRAGMA integrity_check").fetchone()[0]
    numbers = {int(row[0]) for row in database.execute("SELECT start_s FROM visits")}
    paths = {str(row[0]) for row in database.execute("SELECT path FROM evidence")}
    figures.corrupt += found != "ok" or any(
        (folder / path).stat().st_size != 2000 for path in paths
    )
    figures.lost = len(set(safe) - numbers)
    database.close()


def main() -> None:
    """Print the figures of so many kills."""
    if sys.argv[1] == "--write":
        write_for_ever(Path(sys.argv[2]), int(sys.argv[3]))
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    figures = kill_writers(Path(sys.argv[1]), kills, seed=0)
    print(
        f"{figures.kills} kills: {figures.corrupt} corrupt, {figures.lost} of "
        f"{figures.committed} committed visits lost"
    )
    sys.exit(bool(figures.corrupt or figures.lost))


if __name__ == "__main__":
    main()
