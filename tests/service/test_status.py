"""Status: the files of running watches, and the command that shows them."""

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command_line import assert_refused, run
from liveness import start_monitor
from recorder_scene import window

from birdfield.service import status_files


def test_a_status_file_describes_its_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert_refused(run("status"), 1, "no watch is running; to start one")
    monitor = start_monitor(status_files.status_folder())
    monitor.tick(window(0, seen=60, faults={"camera": None, "microphone": "silent"}), 3, 5)
    lines = run("status").stdout.splitlines()
    assert lines[0].startswith("watching since") and lines[2].startswith("last: Robin 0.99 at")
    assert "dropped: 3" in lines[1] and "microphone ear: silent" in lines
    entry = json.loads(run("status", "--json").stdout)
    assert entry["state"] == "watching" and entry["visits"] == 5
    path = status_files.status_file(status_files.status_folder(), os.getpid())
    assert path.stat().st_mode & 0o777 == 0o644
    old = (datetime.now(UTC) - timedelta(seconds=60)).isoformat()
    path.write_text(json.dumps({**entry, "updated": old}))
    assert run("status").exit_code == 4
    path.write_text(json.dumps({**entry, "pid": 2**22 + 1}))
    assert run("status").exit_code == 1 and run("status").stdout.startswith("gone since")
    monitor.close()
    assert not path.exists()


def test_each_watch_has_its_own_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two watches are running, and are listed by age; the others are not listed.

    One of the others has ended, and the number of the other one belongs to a new process.
    """
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = status_files.status_folder()
    monitor = start_monitor(folder)
    monitor.tick(window(0, seen=60), 0, 0)
    own = json.loads(run("status", "--json").stdout)
    with subprocess.Popen(["sleep", "60"]) as other:
        for pid, born in ((other.pid, None), (2**22 + 1, 7), (os.getppid(), own["born"] + 1)):
            status_files.status_file(folder, pid).write_text(
                json.dumps(
                    {
                        **own,
                        "pid": pid,
                        "born": born,
                        "started": "2026-05-01T06:00:00+00:00",
                        "updated": own["updated"],
                        "journal": "/second",
                    }
                )
            )
        listed = [json.loads(line) for line in run("status", "--json").stdout.splitlines()]
        assert [entry["pid"] for entry in listed] == [other.pid, os.getpid()]
        shown = run("status")
        assert shown.exit_code == 0 and shown.stdout.count("watching since") == 2
        assert "journal: /second, visits: 0\n\nwatching" in shown.stdout
        status_files.remove_stale_statuses(folder)
        assert {path.name for path in folder.iterdir()} == {
            f"status-{other.pid}.json",
            f"status-{os.getpid()}.json",
        }
        other.kill()
    assert json.loads(run("status", "--json").stdout)["pid"] == os.getpid()
    monitor.close()
    assert run("status").exit_code == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "nonsense",
        '{"pid": 1}',
        '{"pid": "x", "born": 1}',
        '{"pid": 1e9, "born": 1}',
        "[" * 100_000,
    ],
)
def test_a_malformed_status_file_is_ignored(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    status_files.status_folder().mkdir()
    path = status_files.status_file(status_files.status_folder(), 2**22 + 1)
    path.write_text(text)
    assert_refused(run("status"), 1, "no watch is running; to start one")
    status_files.remove_stale_statuses(status_files.status_folder())
    assert not path.exists()


def test_a_status_that_cannot_be_written_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monitor = start_monitor(tmp_path / "file")
    monitor.tick(window(0), 0, 0)
    monitor.close()
    assert "the status cannot be written (File exists)" in caplog.text
