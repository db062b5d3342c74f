"""Small disk: fills and frees the file system of a journal during a scene.

Run: python tests/support/small_disk.py FOLDER

FOLDER is on a file system of a few MB. Prints what was found as JSON.
"""

import errno
import json
import sys
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import recorder_scene
from recorder_scene import events, start_recorder, visits, window

from birdfield.journal.opening import read_journal
from birdfield.journal.retention import Retention, free_bytes
from birdfield.watch.recorder import RecorderSettings

FREE = 1_000_000  # bytes to keep free
BEST = 2  # visits of each species whose evidence is kept
SETTINGS = RecorderSettings(gap_s=5.0, retention=Retention(min_free_bytes=FREE, best=BEST))
ANGLES = (0, 60, 120)  # Jay, Robin, Wren
PERIOD = 6  # windows from one visit to the next


class Scene:
    """A scene with one visit after another, of each species in turn."""

    def __init__(self, folder: Path) -> None:
        """Start a recorder in a folder."""
        self.recorder = start_recorder(folder, SETTINGS, live=False)
        self.number = 0

    def add_visits(self, count: int) -> None:
        """Add visits of three windows each, and three windows without a bird after each."""
        for _ in range(count):
            angle = ANGLES[self.number // PERIOD % 3]
            for index in range(PERIOD):
                seen = angle if index < 3 else None
                self.recorder.add(window(self.number, seen=seen, heard=seen))
                self.number += 1


def fill(path: Path) -> None:
    """Append to a file until the disk is full."""
    with path.open("ab", buffering=0) as stream:
        for size in (65_536, 512):
            with suppress(OSError):
                while stream.write(bytes(size)):
                    pass


def evidence(folder: Path) -> Counter[str]:
    """Count the visits that have evidence, by species; each of their files must exist."""
    with closing(read_journal(folder)) as journal:
        assert all((folder / path).is_file() for path in journal.evidence_paths())
    return Counter(str(row.species) for row in visits(folder) if row.picture)


def main() -> None:
    """Watch the scene, and print what was found before, while and after the disk was full."""
    root = Path(sys.argv[1])
    folder = root / "journal"
    recorder_scene.FRAME = recorder_scene.FRAME.repeat(3, axis=0).repeat(3, axis=1)
    found: dict[str, object] = {"size": free_bytes(root)}
    scene = Scene(folder)
    scene.add_visits(60)
    found["before"] = {
        "visits": len(visits(folder)),
        "evidence": evidence(folder),
        "free": free_bytes(root),
        "events": [kind for kind, _ in events(folder)],
    }
    fill(root / "filler")
    try:
        (root / "probe").write_bytes(bytes(65_536))
    except OSError as error:
        found["full"] = error.errno == errno.ENOSPC
    (root / "probe").unlink(missing_ok=True)
    for _ in range(5):  # another program uses what the recorder frees
        fill(root / "filler")
        scene.add_visits(6)
    found["paused"] = {"evidence": evidence(folder), "visits": len(visits(folder))}
    (root / "filler").unlink()
    scene.add_visits(30)
    scene.recorder.close()
    found["freed"] = {
        "visits": len(visits(folder)),
        "evidence": evidence(folder),
        "free": free_bytes(root),
        "events": [kind for kind, _ in events(folder)],
    }
    with closing(read_journal(folder)) as journal:
        found["check"] = journal.database.execute("PRAGMA integrity_check").fetchone()[0]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
