"""Service: notifications, watchdog, status files, unit, and the commands for them."""

import json
import logging
import os
import pwd
import shutil
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import assert_refused, run
from recorder_scene import window
from service_manager import run_once
from waiting import wait_for

from birdfield.commands.log_format import FORMATS
from birdfield.errors import UsageError
from birdfield.model.audio_specs import YAMNET
from birdfield.service import status_files, unit
from birdfield.service.liveness import LivenessMonitor, stall_timeout_s
from birdfield.service.process import start_ticks
from birdfield.service.sd_notify import Notifier, watchdog_s
from birdfield.service.status import initial_status
from birdfield.service.unit import Service, quoted, unit_text
from birdfield.watch.sources import SourceInfo

ROOT = Path(__file__).parents[2]

# A watch whose analysis, or whose whole process, hangs at its third window, but only once.
HANGING = """
import os, pathlib, signal, sys, threading
from birdfield.watch import scene
from birdfield.commands.app import main

hung, what = pathlib.Path(sys.argv.pop(1)), sys.argv.pop(1)
observe, count = scene.SceneWatcher._observe, 0

def hang(self, *arguments):
    global count
    count += 1
    if count == 3 and not hung.exists():
        hung.touch()
        if what == "process":
            os.kill(os.getpid(), signal.SIGSTOP)
        threading.Event().wait()
    return observe(self, *arguments)

scene.SceneWatcher._observe = hang
main()
"""


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of 20 s of noise: seven windows."""
    path = tmp_path_factory.mktemp("song") / "song.wav"
    sound = np.random.default_rng(0).normal(0, 0.1, 20 * YAMNET.rate_hz).clip(-1, 1)
    soundfile.write(path, sound, YAMNET.rate_hz)
    return path


def hanging(what: str, model: Path, song: Path, folder: Path) -> list[str]:
    """Return the command of a watch whose "analysis" or "process" hangs once."""
    return [
        sys.executable,
        "-c",
        HANGING,
        str(folder / "hung"),
        what,
        "watch",
        "--model",
        str(model),
        "--camera",
        "none",
        "--microphone",
        str(song),
        "--fast",
    ]


def test_a_stalled_analysis_thread_ends_in_a_restart(
    toy_bundle: Path, song: Path, tmp_path: Path
) -> None:
    """The watch ends itself before the manager's timeout, and its second run is complete."""
    command = hanging("analysis", toy_bundle, song, tmp_path)
    first = run_once(command, tmp_path, 8.0, environment={"BIRDFIELD_WATCHDOG_S": "2"})
    assert first.ready and first.watchdog_count == 2 and not first.killed
    assert first.exit_code == 4 and "the analysis has stalled for 2 s" in first.log
    assert "in hang" in first.log, "the stack trace"
    second = run_once(command, tmp_path, 30.0)
    assert second.exit_code == 0 and second.watchdog_count >= 7
    assert "STOPPING" in second.messages[-1]
    assert "watching" in second.messages[1]["STATUS"]


def test_the_manager_kills_a_process_that_hangs_as_a_whole(
    toy_bundle: Path, song: Path, tmp_path: Path
) -> None:
    """Its own monitor does not run then, but the manager's watchdog does."""
    run = run_once(hanging("process", toy_bundle, song, tmp_path), tmp_path, 2.0)
    assert run.ready and run.watchdog_count == 2 and run.killed and run.exit_code == -9


def start_monitor(
    folder: Path, timeout_s: float | None = None, aborts: list[int] | None = None
) -> LivenessMonitor:
    """Start a monitor of this process that adds to `aborts` instead of ending it."""
    pid = os.getpid()
    sources = SourceInfo("rtsp://***@h/", "ear")
    status = initial_status("a1b2", sources, None, pid, start_ticks(pid))

    def abort() -> None:
        if aborts is not None:
            aborts.append(1)

    return LivenessMonitor(Notifier(None), folder, status, timeout_s, abort)


def test_a_monitor_aborts_when_its_ticks_stop(tmp_path: Path) -> None:
    aborts: list[int] = []
    monitor = start_monitor(tmp_path, 1.2, aborts)
    for number in range(30):
        monitor.tick(window(number, seen=0), 0, 0)
        assert not monitor._stop.wait(0.05)
    assert not aborts
    wait_for(lambda: aborts == [1], "the abort")
    monitor.close()


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


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"WATCHDOG_USEC": "2000000"}, 2.0),
        ({"WATCHDOG_USEC": "x"}, None),
        ({}, None),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}, 2.0),
    ],
)
def test_the_watchdog_timeout_is_that_of_this_process(
    environment: dict[str, str], expected: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID", "BIRDFIELD_WATCHDOG_S"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert watchdog_s() == expected
    assert stall_timeout_s() == (None if expected is None else 1.5)
    monkeypatch.setenv("BIRDFIELD_WATCHDOG_S", "soon")
    with pytest.raises(UsageError, match="BIRDFIELD_WATCHDOG_S is 'soon'; expected a number"):
        stall_timeout_s()


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("plain", "12:00:00 WARNING two\nlines"),
        ("systemd", "<4>two\n<4>lines"),
        (
            "json",
            '{"time": "2026-05-01T12:00:00.000+00:00", "level": "warning", "logger": "bird", '
            '"message": "two\\nlines"}',
        ),
    ],
)
def test_the_log_has_three_formats(form: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    record = logging.LogRecord("bird", logging.WARNING, "", 0, "two\n%s", ("lines",), None)
    record.created = datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp()
    record.msecs = 0
    assert FORMATS[form]().format(record) == line
    monkeypatch.undo()
    time.tzset()


def test_an_unknown_log_format_is_refused() -> None:
    assert_refused(run("--log", "xml", "devices"), 2, "log format is 'xml'; expected one of plain")


SYSTEMCTL = """#!/bin/sh
echo "$@" >> "{folder}/calls"
[ "$1" = show ] && printf 'ActiveState=active\\nSubState=running\\n'
[ "$1" = show ] && printf 'NRestarts=2\\nExecMainStatus=4\\n'
[ -e "{folder}/fails" ] && {{ echo "Unit is masked" >&2; exit 1; }}
exit 0
"""


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program that records its arguments in place of systemctl; return its folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "systemctl").write_text(SYSTEMCTL.format(folder=folder))
    (folder / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "birdfield.toml"
    path.write_text('[journal]\nfolder = "garden"')
    return path


def test_a_service_is_installed_shown_and_removed(
    systemctl: Path, config: Path, tmp_path: Path
) -> None:
    units = tmp_path / "units"
    units.mkdir()
    done = run("service", "install", "--user", "daemon", "--config", config, "--unit-dir", units)
    assert done.exit_code == 0 and "runs as daemon" in done.stdout, done.output
    text = (units / "birdfield.service").read_text()
    assert f'ReadWritePaths=-"{tmp_path}/garden"' in text and "User=daemon\n" in text
    assert (tmp_path / "garden").stat().st_mode & 0o777 == 0o700
    assert run("service", "status").stdout.startswith(
        "birdfield.service: active (running), restarts: 2, last exit code 4"
    )
    assert run("service", "remove", "--unit-dir", units).exit_code == 0
    assert not list(units.iterdir()) and (tmp_path / "garden").is_dir()
    assert (systemctl / "calls").read_text().splitlines() == [
        "daemon-reload",
        "enable birdfield.service",
        "restart birdfield.service",
        "show birdfield.service --property=ActiveState,SubState,NRestarts,ExecMainStatus",
        "disable --now birdfield.service",
        "daemon-reload",
    ]


def test_the_parents_of_the_journal_belong_to_the_user(
    systemctl: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each folder that root creates gets the user and the user's primary group."""
    config.write_text('[journal]\nfolder = "birds/garden"')
    owners: list[tuple[Path, str, int]] = []
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.chown", lambda *arguments: owners.append(arguments))
    done = run("service", "install", "--user", "daemon", "--config", config, "--unit-dir", tmp_path)
    assert done.exit_code == 0, done.output
    group = pwd.getpwnam("daemon").pw_gid
    assert owners == [
        (tmp_path / "birds", "daemon", group),
        (tmp_path / "birds" / "garden", "daemon", group),
    ]
    assert (tmp_path / "birds" / "garden").stat().st_mode & 0o777 == 0o700


def test_a_service_that_cannot_be_installed_is_refused(
    systemctl: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = tmp_path / "units"
    units.mkdir()
    install = ("service", "install", "--config", config, "--unit-dir", units, "--user")
    assert_refused(run(*install, "root"), 2, "a station does not run as root")
    assert_refused(run(*install, "nobody-here"), 2, "no user 'nobody-here'")
    assert_refused(run("service", "remove", "--unit-dir", units), 1, "the service is not installed")
    (units / "birdfield.service").write_text("[Unit]\n")
    assert_refused(run(*install, "daemon"), 1, "birdfield did not write it; move it away")
    (units / "birdfield.service").unlink()
    (systemctl / "fails").touch()
    assert_refused(run(*install, "daemon"), 1, "systemctl daemon-reload: Unit is masked")
    config.write_text("")
    assert_refused(run(*install, "daemon"), 2, "journal.folder is missing")
    config.write_text("[journal]\nfolder = 3")
    assert_refused(run(*install, "daemon"), 2, "line 2: journal.folder is 3")
    config.write_text('[journal]\nfolder = "g"')
    monkeypatch.setenv("PATH", str(tmp_path))
    assert_refused(run(*install, "daemon"), 3, "this machine has no systemd")


def test_words_are_quoted_for_systemd() -> None:
    assert quoted('a "b" %c $d \\e') == '"a \\"b\\" %%c $$d \\\\e"'
    with pytest.raises(UsageError, match="cannot stand in a unit"):
        quoted("/home/x\nExecStartPre=/bin/evil")


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """If systemd-analyze is installed, it must find no error and few permissions."""
    text = unit_text(
        Service(
            (sys.executable, "-m", "birdfield"),
            "daemon",
            Path("/etc/b x.toml"),
            Path("/srv/100% $birds"),
        )
    )
    for line in (
        "Type=notify",
        f"WatchdogSec={unit.WATCHDOG_S}",
        "ProtectSystem=strict",
        "PrivateTmp=yes",
        "NoNewPrivileges=yes",
        "RestartPreventExitStatus=2 3",
    ):
        assert f"\n{line}\n" in text
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (systemd)")
    (tmp_path / "birdfield.service").write_text(text)
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "birdfield.service"],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0 and checked.stderr == "", checked.stderr
    rated = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=true",
            "--threshold=30",
            tmp_path / "birdfield.service",
        ],
        capture_output=True,
        text=True,
    )
    assert rated.returncode == 0, rated.stdout[-200:]


def test_the_container_has_its_sources_and_does_not_run_as_root() -> None:
    """Each source of COPY exists and passes .dockerignore; hadolint checks the rest."""
    text = (ROOT / "Dockerfile").read_text()
    passed = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    sources = {
        word
        for line in text.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    assert sources == passed and all((ROOT / name).exists() for name in sources)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {package.partition("/")[0] for package in packages} <= sources
    (user,) = (line.split()[1] for line in text.splitlines() if line.startswith("USER "))
    assert user.isdecimal() and int(user) > 0
    assert text.index("USER ") < text.index("ENTRYPOINT") and "HEALTHCHECK" in text
