"""Opening: who may write, who may read, and where."""

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from journal_rows import ROBIN, Opener

from birdfield.errors import InputError
from birdfield.journal.database import Journal
from birdfield.journal.opening import FILE, open_journal, read_journal
from birdfield.journal.queries import Selection, visits_of


def test_the_folder_is_private(journal: Journal) -> None:
    assert stat.S_IMODE(journal.folder.stat().st_mode) == 0o700
    journal.add_visit(ROBIN, "a1b2")
    for file in journal.folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_a_second_writer_is_refused_and_a_reader_is_not(journal: Journal, opened: Opener) -> None:
    with pytest.raises(InputError, match="another birdfield writes this journal"):
        open_journal(journal.folder)
    assert list(visits_of(opened(read_journal, journal.folder), Selection())) == []
    journal.close()
    opened(open_journal, journal.folder)


def test_a_journal_on_a_read_only_card_is_read(journal: Journal, tmp_path: Path) -> None:
    """A folder is mounted read-only on itself, in a mount namespace of its own.

    The first journal was closed. The second is a copy of an open one: its last visit is in the
    log alone, so a reader that ignored the log would lose the visit.
    """
    journal.add_visit(ROBIN, "a1b2")
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in (FILE, f"{FILE}-wal"):
        shutil.copy(journal.folder / name, copy)
    journal.close()

    def read_only(folder: Path, *command: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                "unshare",
                "-Urm",
                "sh",
                "-c",
                'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"',
                str(folder),
                *map(str, command),
            ],
            capture_output=True,
            text=True,
        )

    if shutil.which("unshare") is None or read_only(copy, "true").returncode != 0:
        pytest.skip("no read-only folder: this kernel does not allow a mount in a namespace")
    for command in ("visits", "report"):
        done = read_only(journal.folder, sys.executable, "-m", "birdfield", command, journal.folder)
        assert done.returncode == 0 and "Robin" in done.stdout, done.stderr
    done = read_only(copy, sys.executable, "-m", "birdfield", "visits", copy)
    assert (done.returncode, done.stdout) == (1, "")
    assert "copy the folder to a place where you may write" in done.stderr


def test_a_folder_without_a_journal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no journal here; expected a folder that a watch"):
        read_journal(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="no journal can be written here"):
        open_journal(tmp_path / "file")
