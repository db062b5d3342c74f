"""Commands `service` and `status`: manage the systemd service, and show running watches."""

import json
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from birdfield.commands.options import CONFIG_FILE, JsonSwitch
from birdfield.errors import EXIT_STALLED, ConfigError, InputError, MissingError, UsageError

if TYPE_CHECKING:
    from birdfield.service.unit import Service
    from birdfield.settings.resolve import ResolvedSettings

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Run the station as a systemd service.",
)

UnitDirOption = Annotated[
    Path | None,
    typer.Option(
        "--unit-dir", metavar="DIR", help="The folder of units; default: /etc/systemd/system."
    ),
]


@app.command()
def install(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help=f"The configuration file; default: {CONFIG_FILE} of the user.",
        ),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The user of the service; default: the user of sudo."),
    ] = None,
    unit_dir: UnitDirOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the unit, but install nothing.")
    ] = False,
) -> None:
    """Check the configuration, then install and start the unit."""
    from birdfield.atomic import write_file
    from birdfield.service.unit import FOLDER, NAME, unit_text

    service = _service(config, user)
    text = unit_text(service)
    if dry_run:
        print(text, end="")
        return
    folder = unit_dir or FOLDER
    _check_systemd(folder)
    _make_journal_folder(service)
    write_file(folder / NAME, text.encode())
    _systemctl("daemon-reload")
    _systemctl("enable", NAME)
    _systemctl("restart", NAME)
    print(f"{folder / NAME}: runs as {service.user}; for its state, run: birdfield service status")


def _service(config: Path | None, user: str | None) -> "Service":
    from birdfield.service.account import environment_of
    from birdfield.service.unit import Service
    from birdfield.settings.configuration import FILE, load_config
    from birdfield.settings.resolve import ResolvedSettings

    name = user or os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    try:
        account = pwd.getpwnam(name)
    except KeyError as error:
        raise UsageError(f"no user {name!r}; expected a user of this machine") from error
    if account.pw_uid == 0:
        raise UsageError("a station does not run as root; name an ordinary user with --user NAME")
    path = (config or Path(account.pw_dir) / ".config" / "birdfield" / FILE).absolute()
    with environment_of(account):
        choice = ResolvedSettings(load_config(path), {})
        journal = choice.settings.journal.folder
        if journal is None:
            raise ConfigError(
                f"{path}: journal.folder is missing; set it, since a service without a journal "
                "records nothing"
            )
        _check_configuration(choice, account, journal)
    return Service((sys.executable, "-m", "birdfield"), name, path, journal)


def _check_configuration(
    choice: "ResolvedSettings", account: pwd.struct_passwd, journal: Path
) -> None:
    """Check a configuration as `watch` does, and that the user of the service may read it."""
    from birdfield.commands.station_check import check_station, named_files
    from birdfield.journal.writable import check_journal
    from birdfield.service.account import acting_as, check_readable

    check_station(choice, has_own_journal=False)
    files = named_files(choice)
    with acting_as(account) as is_account:
        if is_account:
            check_readable(files, account.pw_name)
            if _exists(journal):  # else it is created for the user
                check_journal(journal)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # in a folder that the user may not enter
        return True


def _check_systemd(folder: Path) -> None:
    from birdfield.service.unit import MARK, NAME

    if shutil.which("systemctl") is None:
        raise MissingError(
            "this machine has no systemd; start birdfield watch with its own service manager"
        )
    if not os.access(folder, os.W_OK):
        raise InputError(f"{folder}: cannot be written; run the command with sudo")
    unit = folder / NAME
    if unit.exists() and not unit.read_text(errors="replace").startswith(MARK):
        raise InputError(f"{unit} exists, but birdfield did not write it; move it away first")


def _make_journal_folder(service: "Service") -> None:
    """Create the journal's folder for the user alone; the service has no right to create it."""
    from birdfield.atomic import to_input_error

    group = pwd.getpwnam(service.user).pw_gid
    missing = [each for each in (service.journal, *service.journal.parents) if not each.exists()]
    try:
        for folder in reversed(missing):  # created parents belong to the user too
            folder.mkdir(mode=0o700)
            if os.geteuid() == 0:
                shutil.chown(folder, service.user, group)
    except OSError as error:
        raise to_input_error(service.journal, error) from error


def _systemctl(*arguments: str) -> str:
    try:
        done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True)
    except OSError as error:
        raise MissingError(
            f"systemctl cannot be run ({error.strerror}); this machine has no systemd"
        ) from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[0]
        raise InputError(f"systemctl {arguments[0]}: {reason}; see: sudo journalctl -u birdfield")
    return done.stdout


@app.command("status")
def service_status() -> None:
    """Show the state of the service and of its watch."""
    from birdfield.service.unit import NAME

    shown = _systemctl("show", NAME, "--property=ActiveState,SubState,NRestarts,ExecMainStatus")
    facts = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    print(
        f"{NAME}: {facts.get('ActiveState')} ({facts.get('SubState')}), "
        f"restarts: {facts.get('NRestarts')}, last exit code {facts.get('ExecMainStatus')}",
        flush=True,
    )
    status()


@app.command()
def remove(unit_dir: UnitDirOption = None) -> None:
    """Stop the service and delete its unit.

    The journal and the configuration remain.
    """
    from birdfield.service.unit import FOLDER, NAME

    folder = unit_dir or FOLDER
    if not (folder / NAME).exists():
        raise InputError(f"{folder / NAME}: no such unit; the service is not installed")
    _check_systemd(folder)
    _systemctl("disable", "--now", NAME)
    (folder / NAME).unlink()
    _systemctl("daemon-reload")
    print(f"{folder / NAME}: removed; the journal remains")


def status(json_lines: JsonSwitch = False) -> None:
    """Show the state of each running watch.

    The exit code is 4 if the analysis of a watch has stopped.
    """
    from birdfield.service.status import status_lines, to_json
    from birdfield.service.status_files import read_statuses

    statuses = read_statuses()
    if not statuses:
        raise InputError(
            "no watch is running; to start one, run birdfield watch, or "
            "sudo birdfield service install"
        )
    states = set()
    for index, each in enumerate(statuses):
        states.add(each.state)
        if json_lines:
            print(json.dumps({**to_json(each), "state": each.state}, ensure_ascii=False))
        else:
            print("\n".join(([""] if index else []) + status_lines(each)))
    if "stalled" in states:
        raise typer.Exit(EXIT_STALLED)
    if "gone" in states:
        raise typer.Exit(InputError.exit_code)
