"""Season: follows "A season in the garden" of the guide on arm64: sudo make arm64-season.

An ordinary user of a bare Debian 13 for arm64 with systemd, emulated by QEMU
(tools/arm64/machine.py), runs each line of the guide's block unchanged. A folder of wheels on this
machine serves as PyPI; camera and microphone see and hear toy birds (tools/arm64/player.py). After
the first visit, the script kills the service and restarts the machine. It exits with 1 when a step
fails, no visit is recorded, or the service does not run again.
"""

import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aviary import write_aviary
from disk import check_tools, ensure_disk
from install import WHEEL, download_wheels, toy_bundle
from machine import HOST, Machine, free_port, started
from roots import CHECKOUT, ROOTS, arm64_folder, check_machine, say

TITLE = "A season in the garden"
MODEL = "garden.birdfield"
CONFIG = "~/.config/birdfield/birdfield.toml"
BIRDFIELD = "~/birdfield/bin/birdfield"
UP_S = 900.0  # limit for a service to start or to end
VISIT_S = 2400.0  # limit for the first visit; an emulated window may last longer than its sound
EMULATED = {"speed"}  # checks of doctor that may fail in an emulator


def steps(guide: str) -> list[tuple[str, str]]:
    """Return the lines of the guide's block, each split into command and comment."""
    found = re.search(rf"^## {TITLE}$.*?^```$\n(.*?)^```$", guide, re.M | re.S)
    if found is None:
        raise SystemExit(f"make arm64-season: docs/guide/station.md has no block below {TITLE!r}")
    parted = (line.partition("#") for line in found[1].splitlines() if line.strip())
    return [(command.strip(), comment.strip()) for command, _, comment in parted]


def edits(lines: list[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Return the configuration that the comments describe: table, key, value."""
    found = (re.match(r"\[(\w+)\]\s+(\w+) = (\".*\")$", comment) for _, comment in lines)
    return [(each[1], each[2], each[3]) for each in found if each]


def logins(lines: list[tuple[str, str]]) -> Iterator[list[str]]:
    """Yield the commands of each login, as the comments divide them."""
    commands: list[str] = []
    for command, comment in lines:
        commands += [command] if command else []
        if "log out" in comment:
            yield commands
            commands = []
    yield commands


@contextlib.contextmanager
def package_index(folder: Path) -> Iterator[int]:
    """Serve a folder as PyPI, with one folder for each project; yield the port."""
    port = free_port()
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "http.server",
            str(port),
            "--bind",
            "127.0.0.1",
            "--directory",
            str(folder),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        server.terminate()
        server.wait()


def fill_index(folder: Path) -> None:
    """Fill a folder with the wheels of birdfield and its dependencies, one folder a project."""
    shutil.rmtree(folder, ignore_errors=True)
    wheels = folder / "wheels"
    download_wheels(ROOTS[1], "ai-edge-litert", wheels)
    shutil.copy(CHECKOUT / "dist" / WHEEL, wheels)
    for wheel in wheels.iterdir():
        project = folder / re.sub(r"[-_.]+", "-", wheel.name.partition("-")[0]).lower()
        project.mkdir(exist_ok=True)
        wheel.rename(project / wheel.name)
    wheels.rmdir()


def follow(machine: Machine, lines: list[tuple[str, str]]) -> None:
    """Run the commands of the block unchanged, with a new login where a comment says so.

    Raises:
        SystemExit: When a command fails that should succeed.
    """
    for commands in logins(lines):
        with machine.login() as shell:
            for command in commands:
                begun_s = time.monotonic()
                say(f"$ {command}")
                code, output = shell.run(command)
                say(
                    "".join(f"  {line}\n" for line in output.splitlines()[-16:])
                    + f"  ({time.monotonic() - begun_s:.0f} s, exit code {code})"
                )
                if command == "birdfield config init":
                    edit(machine, edits(lines))
                check_step(command, code, output)


def edit(machine: Machine, wanted: list[tuple[str, str, str]]) -> None:
    """Edit the configuration by sed, as a person does in an editor."""
    for table, key, value in wanted:
        say(f"  [{table}] {key} = {value}")
        machine.run(
            f"sed -i 's|^#{key} = .*|{key} = {value}|' {CONFIG} && "
            f"grep -qxF '{key} = {value}' {CONFIG}"
        )


def check_step(command: str, code: int, output: str) -> None:
    """Raise SystemExit when a step failed that the guide expects to succeed."""
    failed = {
        line.split()[1].rstrip(":") for line in output.splitlines() if line.startswith("fail ")
    }
    later = command.startswith(("birdfield status", "birdfield visits"))  # "after ..."
    if code and not later and not (command == "birdfield doctor" and failed <= EMULATED):
        raise SystemExit(f"make arm64-season: {command!r} ended with exit code {code}")


def status(machine: Machine) -> dict[str, Any]:
    """Return the output of `birdfield status --json`."""
    return dict(json.loads(machine.run(f"{BIRDFIELD} status --json").stdout.splitlines()[-1]))


def wait_watching(machine: Machine, unlike: int | None = None) -> dict[str, Any]:
    """Wait until a watch runs, in a process other than `unlike`; return its status."""
    other = f" | grep -v '\"pid\": {unlike},'" if unlike else ""
    machine.wait(f"{BIRDFIELD} status --json{other}", UP_S, '"state": "watching"')
    return status(machine)


def look_after(machine: Machine) -> None:
    """Wait for a visit, kill the service, restart the machine; print the duration of each."""
    begun_s = time.monotonic()
    before = wait_watching(machine)
    say(
        f"service: watching {time.monotonic() - begun_s:.0f} s after the last step; "
        f"{before['windows']} windows"
    )
    took_s = machine.wait(f"{BIRDFIELD} visits ~/garden", VISIT_S, "\n")
    say(
        f"journal: the first visit after {took_s:.0f} s more\n  "
        + machine.run(f"{BIRDFIELD} visits ~/garden").stdout.strip()
    )
    begun_s = time.monotonic()
    machine.run(f"sudo kill -9 {before['pid']}")
    again = wait_watching(machine, before["pid"])
    say(
        f"kill -9: watching again after {time.monotonic() - begun_s:.0f} s, process "
        f"{before['pid']} before, {again['pid']} now; "
        + machine.run("systemctl show birdfield --property=NRestarts").stdout.strip()
    )
    begun_s = time.monotonic()
    machine.restart()
    wait_watching(machine)
    say(f"restart: watching {time.monotonic() - begun_s:.0f} s after the command")
    say(
        machine.run(
            f"{BIRDFIELD} visits ~/garden; {BIRDFIELD} visits ~/garden --events; "
            f"sudo {BIRDFIELD} service status"
        ).stdout.strip()
    )


def main() -> int:
    """Follow the guide; return the exit code."""
    check_machine()
    check_tools()
    disk = ensure_disk()
    fill_index(disk.folder / "index")
    aviary = disk.folder / "aviary.img"
    write_aviary(aviary)
    lines = steps((CHECKOUT / "docs" / "guide" / "station.md").read_text())
    with package_index(disk.folder / "index") as port, started(disk, aviary) as machine:
        wheels = f"http://{HOST}:{port}"  # of this machine, as the emulated one sees it
        machine.run(
            f"printf '[global]\\nindex-url = {wheels}\\ntrusted-host = {HOST}\\n' | "
            "sudo tee /etc/pip.conf"
        )
        machine.copy(toy_bundle(), MODEL)
        follow(machine, lines)
        look_after(machine)
    say(f"a season in the garden: every step succeeded, in {arm64_folder()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
