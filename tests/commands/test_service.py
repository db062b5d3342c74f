"""Commands of the service: install, status and remove."""

import os
import pwd
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import assert_refused, run
from permissions import let_users_enter

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
    """Write a configuration that every user may read, in folders that every user may enter."""
    let_users_enter(tmp_path)
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


@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
@pytest.mark.parametrize("named", ["birdfield.toml", "names.csv", "list.csv", "song.wav", "m"])
def test_a_file_that_the_user_of_the_service_cannot_read_is_refused(
    named: str, dry_run: tuple[str, ...], systemctl: Path, config: Path, fake: Path, tmp_path: Path
) -> None:
    """As root, the file is root's alone; else it is nobody's, and the service is one's own."""
    fake.rename(tmp_path / "m")
    (tmp_path / "names.csv").write_text("label,scientific,lang,name\nJay,,de,Häher\n")
    (tmp_path / "list.csv").write_text("species,weeks\nJay,\n")
    soundfile.write(tmp_path / "song.wav", np.full(16_000, 0.1), 16_000)
    config.write_text(
        "[watch]\nmodel = 'm'\ncamera = 'none'\nmicrophone = 'song.wav'\n"
        "[journal]\nfolder = 'garden'\n[names]\nfile = 'names.csv'\n"
        "[species]\nchecklist = 'list.csv'\n"
    )
    is_root = os.getuid() == 0
    user = "daemon" if is_root else pwd.getpwuid(os.getuid()).pw_name
    install = ("service", "install", "--config", config, "--user", user, "--unit-dir", tmp_path)
    accepted = run(*install, *dry_run)
    assert accepted.exit_code == 0, accepted.output
    (tmp_path / "birdfield.service").unlink(missing_ok=True)
    (tmp_path / named).chmod(0o700 if is_root and named == "m" else 0o600 if is_root else 0)
    refused = run(*install, *dry_run)
    assert_refused(refused, refused.exit_code, str(tmp_path / named))
    assert refused.exit_code in (1, 2) and not (tmp_path / "birdfield.service").exists()


def test_a_configuration_that_watch_refuses_is_not_installed(
    systemctl: Path, config: Path, tmp_path: Path
) -> None:
    config.write_text('[journal]\nfolder = "garden"\n[quiet]\nhours = "night"')
    install = ("service", "install", "--config", config, "--user", "daemon")
    for more in (("--dry-run",), ("--unit-dir", tmp_path)):
        assert_refused(run(*install, *more), 2, "line 4: quiet.hours", "set place.location")
    assert not (tmp_path / "garden").exists()


def test_the_service_is_checked_in_the_environment_of_its_user(
    systemctl: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shell of the one who installs has another home, and another model, which is gone."""
    monkeypatch.setenv("BIRDFIELD_MODEL", str(tmp_path / "gone.birdfield"))
    config.write_text('[journal]\nfolder = "~/garden"')
    shown = run("service", "install", "--config", config, "--user", "daemon", "--dry-run")
    home = pwd.getpwnam("daemon").pw_dir
    assert shown.exit_code == 0 and f'ReadWritePaths=-"{home}/garden"' in shown.stdout, shown.output
    assert os.environ["BIRDFIELD_MODEL"].endswith("gone.birdfield")
