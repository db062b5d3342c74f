"""Journal load: times and memory of the commands on a large journal, made by this script.

    python tools/journal_load.py [--visits N]

Writes a journal of N visits of 30 species over two years, each with a picture, a sound and a
sonogram in the database, runs each command in a process of its own, and prints its seconds and the
most memory that it took.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from birdfield.journal.entries import SessionEntry
from birdfield.journal.opening import open_journal
from birdfield.journal.times import utc_text

SPECIES = 30
DAYS = 730
KINDS = (("picture", "jpg"), ("sound", "flac"), ("sonogram", "png"))
BEGAN = datetime(2024, 5, 1, tzinfo=UTC)
COMMANDS = (
    "visits JOURNAL --last 10",
    "visits JOURNAL",
    "report JOURNAL",
    "export-visits JOURNAL -o OUT.csv",
    "export-visits JOURNAL -o OUT.csv --format ebird --location 52.5,13.4,Garden",
    "export-visits JOURNAL -o OUT.txt --format raven",
    "export-visits JOURNAL -o OUT.txt --format audacity",
    "export-visits JOURNAL -o OUT.parquet --format parquet",
)


def visit_rows(count: int) -> Iterator[tuple[object, ...]]:
    """Yield rows of the table of visits, in the order of their start."""
    step_s = DAYS * 86_400 / count
    for number in range(count):
        started = BEGAN + timedelta(seconds=number * step_s)
        name = f"Species {number * 7919 % SPECIES}"
        yield (
            1,
            name,
            f"Genus species{number * 7919 % SPECIES}",
            name,
            utc_text(started),
            utc_text(started + timedelta(seconds=20)),
            120,
            number * step_s,
            number * step_s + 20,
            0.5 + number * 31 % 500 / 1000,
            ("image", "audio", "both")[number % 3],
            ("single", "single", "agree")[number % 3],
            5,
            json.dumps([[name, 0.9], ["Species 0", 0.1]]),
        )


def write_journal(folder: Path, count: int) -> None:
    """Write a journal; its evidence is in the database alone."""
    with closing(open_journal(folder)) as journal:
        journal.start_session(SessionEntry("a1b2", BEGAN, boot="boot"))
        with journal.transaction() as database:
            database.executemany(
                "INSERT INTO visits (session, species, scientific, first_species, started, ended, "
                "utc_offset_min, start_s, end_s, score, senses, agreement, windows, candidates) "
                f"VALUES ({', '.join('?' * 14)})",
                visit_rows(count),
            )
            database.executemany(
                "INSERT INTO evidence (visit, kind, path, bytes, score, start_s, end_s) "
                "VALUES (?, ?, ?, 50000, 0.9, 0, 5)",
                (
                    (visit, kind, f"evidence/{visit}.{suffix}")
                    for visit in range(1, count + 1)
                    for kind, suffix in KINDS
                ),
            )


def measure(arguments: list[str], out: Path) -> tuple[float, float]:
    """Run birdfield in a process; return its seconds and its greatest memory in MB."""
    began_s = time.monotonic()
    with out.open("wb") as stream:
        process = subprocess.Popen([sys.executable, "-m", "birdfield", *arguments], stdout=stream)
        _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{arguments}: ended with status {status}")
    return time.monotonic() - began_s, used.ru_maxrss / 1000


def main() -> None:
    """Write the journal and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visits", type=int, default=300_000, metavar="N")
    count = parser.parse_args().visits
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal"
        write_journal(journal, count)
        print(f"{'command':<76} seconds   MB")
        for line in COMMANDS:
            words = line.replace("JOURNAL", str(journal)).replace("OUT", f"{folder}/out").split()
            seconds, memory = measure(words, Path(folder) / "stdout")
            print(f"{line:<76} {seconds:7.2f} {memory:4.0f}", flush=True)


if __name__ == "__main__":
    main()
