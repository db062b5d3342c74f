"""The service: notify protocol, watchdog, unit, and the commands around them."""

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
from devices import wait_for
from recorder_scene import window
from supervisor import live

from birdfield.commands.log_format import FORMATS
from birdfield.errors import UsageError
from birdfield.model.audio_specs import YAMNET
from birdfield.service import status, unit
from birdfield.service.liveness import LivenessMonitor, patience_s
from birdfield.service.sd_notify import Notifier, watchdog_s
from birdfield.service.unit import Service, quoted, unit_text

ROOT = Path(__file__).parents[2]

# Runs a watch whose analysis, or all of whose process, hangs at its third window, unless it did so
# before.
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
    """Twenty seconds of noise: seven windows."""
    path = tmp_path_factory.mktemp("song") / "song.wav"
    sound = np.random.default_rng(0).normal(0, 0.1, 20 * YAMNET.rate_hz).clip(-1, 1)
    soundfile.write(path, sound, YAMNET.rate_hz)
    return path


def hanging(what: str, model: Path, song: Path, folder: Path) -> list[str]:
    """Return the command of a watch of which something hangs once."""
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
    """The watch ends itself before the manager's patience ends; its second life is whole."""
    command = hanging("analysis", toy_bundle, song, tmp_path)
    first = live(command, tmp_path, 8.0, environment={"BIRDFIELD_WATCHDOG_S": "2"})
    assert first.ready and first.signs() == 2 and not first.bitten
    assert first.exit_code == 4 and "the analysis stands still for 2 s" in first.log
    assert "in hang" in first.log  # where it stood
    second = live(command, tmp_path, 30.0)
    assert second.exit_code == 0 and second.signs() >= 7 and "STOPPING" in second.told[-1]
    assert "watching" in second.told[1]["STATUS"]


def test_a_process_that_hangs_as_a_whole_is_bitten(
    toy_bundle: Path, song: Path, tmp_path: Path
) -> None:
    """Not even its own watchdog runs then; the manager's does."""
    life = live(hanging("process", toy_bundle, song, tmp_path), tmp_path, 2.0)
    assert life.ready and life.signs() == 2 and life.bitten and life.exit_code == -9


def heart(
    folder: Path, patience: float | None = None, died: list[int] | None = None
) -> LivenessMonitor:
    facts = {"model": "a1b2", "camera": "rtsp://***@h/", "microphone": "ear", "journal": None}
    return LivenessMonitor(
        Notifier(None),
        folder,
        facts,
        patience,
        lambda: died.append(1) if died is not None else None,
    )


def test_a_heart_that_beats_lives_and_one_that_stops_dies(tmp_path: Path) -> None:
    died: list[int] = []
    beating = heart(tmp_path, 1.2, died)
    for number in range(30):
        beating.tick(window(number, seen=0), 0, 0)
        assert not beating._stop.wait(0.05)
    assert not died
    wait_for(lambda: died == [1], "the end")
    beating.close()


def test_the_status_file_tells_how_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert_refused(run("status"), 1, "no station is running here; start one")
    beating = heart(status.status_folder())
    beating.tick(window(0, seen=60, faults={"camera": None, "microphone": "silent"}), 3, 5)
    lines = run("status").stdout.splitlines()
    assert lines[0].startswith("watching since") and lines[2].startswith("last: Robin 0.99 at")
    assert "skipped: 3" in lines[1] and "microphone ear: silent" in lines
    entry = json.loads(run("status", "--json").stdout)
    assert entry["state"] == "watching" and entry["visits"] == 5
    path = status.status_file(status.status_folder(), os.getpid())
    assert path.stat().st_mode & 0o777 == 0o644
    old = (datetime.now(UTC) - timedelta(seconds=60)).isoformat()
    path.write_text(json.dumps({**entry, "updated": old}))
    assert run("status").exit_code == 4
    path.write_text(json.dumps({**entry, "pid": 2**22 + 1}))
    assert run("status").exit_code == 1 and run("status").stdout.startswith("gone since")
    beating.close()
    assert not path.exists()


def test_each_watch_has_a_status_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that live are told, the older first; what is gone is not, and goes at the next start.

    A process that got the number of another one that is gone is not that one.
    """
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = status.status_folder()
    beating = heart(folder)
    beating.tick(window(0, seen=60), 0, 0)
    own = json.loads(run("status", "--json").stdout)
    with subprocess.Popen(["sleep", "60"]) as other:
        for pid, born in ((other.pid, None), (2**22 + 1, 7), (os.getppid(), own["born"] + 1)):
            status.status_file(folder, pid).write_text(
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
        told = [json.loads(line) for line in run("status", "--json").stdout.splitlines()]
        assert [entry["pid"] for entry in told] == [other.pid, os.getpid()]
        shown = run("status")
        assert shown.exit_code == 0 and shown.stdout.count("watching since") == 2
        assert "journal: /second, visits: 0\n\nwatching" in shown.stdout
        status.sweep(folder)
        assert {path.name for path in folder.iterdir()} == {
            f"status-{other.pid}.json",
            f"status-{os.getpid()}.json",
        }
        other.kill()
    assert json.loads(run("status", "--json").stdout)["pid"] == os.getpid()
    beating.close()
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
    ],
)
def test_what_is_no_status_is_passed_over(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    status.status_folder().mkdir()
    path = status.status_file(status.status_folder(), 2**22 + 1)
    path.write_text(text)
    assert_refused(run("status"), 1, "no station is running here; start one")
    status.sweep(status.status_folder())
    assert not path.exists()


def test_a_status_that_cannot_be_written_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    beating = heart(tmp_path / "file")
    beating.tick(window(0), 0, 0)
    beating.close()
    assert "no status can be written (File exists)" in caplog.text


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
def test_the_watchdog_is_the_one_that_is_meant(
    environment: dict[str, str], expected: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID", "BIRDFIELD_WATCHDOG_S"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert watchdog_s() == expected
    assert patience_s() == (None if expected is None else 1.5)
    monkeypatch.setenv("BIRDFIELD_WATCHDOG_S", "soon")
    with pytest.raises(UsageError, match="BIRDFIELD_WATCHDOG_S is 'soon'; expected a number"):
        patience_s()


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
def test_the_log_has_three_forms(form: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    record = logging.LogRecord("bird", logging.WARNING, "", 0, "two\n%s", ("lines",), None)
    record.created = datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp()
    record.msecs = 0
    assert FORMATS[form]().format(record) == line
    monkeypatch.undo()
    time.tzset()


def test_an_unknown_form_of_the_log_is_refused() -> None:
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
    """Stand in for systemctl: a program that notes how it was called. Gives its folder."""
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


def test_a_service_is_installed_told_of_and_removed(
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


def test_what_leads_to_the_journal_is_the_users_too(
    systemctl: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By root, each folder that is made gets the user and the user's own group, not root's."""
    config.write_text('[journal]\nfolder = "birds/garden"')
    given: list[tuple[Path, str, int]] = []
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.chown", lambda *all: given.append(all))
    done = run("service", "install", "--user", "daemon", "--config", config, "--unit-dir", tmp_path)
    assert done.exit_code == 0, done.output
    group = pwd.getpwnam("daemon").pw_gid
    assert given == [
        (tmp_path / "birds", "daemon", group),
        (tmp_path / "birds" / "garden", "daemon", group),
    ]
    assert (tmp_path / "birds" / "garden").stat().st_mode & 0o777 == 0o700


def test_what_cannot_be_installed_is_refused(
    systemctl: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = tmp_path / "units"
    units.mkdir()
    install = ("service", "install", "--config", config, "--unit-dir", units, "--user")
    assert_refused(run(*install, "root"), 2, "a station does not run as root")
    assert_refused(run(*install, "nobody-here"), 2, "no user 'nobody-here'")
    assert_refused(run("service", "remove", "--unit-dir", units), 1, "nothing to remove")
    (units / "birdfield.service").write_text("[Unit]\n")
    assert_refused(run(*install, "daemon"), 1, "was not written by birdfield; move it away")
    (units / "birdfield.service").unlink()
    (systemctl / "fails").touch()
    assert_refused(run(*install, "daemon"), 1, "systemctl daemon-reload: Unit is masked")
    config.write_text("")
    assert_refused(run(*install, "daemon"), 2, "has no journal.folder")
    config.write_text("[journal]\nfolder = 3")
    assert_refused(run(*install, "daemon"), 2, "line 2: journal.folder is 3")
    config.write_text('[journal]\nfolder = "g"')
    monkeypatch.setenv("PATH", str(tmp_path))
    assert_refused(run(*install, "daemon"), 3, "this machine has no systemd")


def test_words_are_quoted_for_systemd() -> None:
    assert quoted('a "b" %c $d \\e') == '"a \\"b\\" %%c $$d \\\\e"'
    with pytest.raises(UsageError, match="cannot stand in a unit"):
        quoted("/home/x\nExecStartPre=/bin/evil")


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """By systemd-analyze, where it is installed: no complaint, and little that it may do."""
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


def test_the_container_is_built_of_what_is_there_and_has_no_root() -> None:
    """What COPY names exists and is let through; the rest is hadolint's."""
    text = (ROOT / "Dockerfile").read_text()
    let_through = {
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
    assert sources == let_through and all((ROOT / name).exists() for name in sources)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {package.partition("/")[0] for package in packages} <= sources
    (user,) = (line.split()[1] for line in text.splitlines() if line.startswith("USER "))
    assert user.isdecimal() and int(user) > 0
    assert text.index("USER ") < text.index("ENTRYPOINT") and "HEALTHCHECK" in text
