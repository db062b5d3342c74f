"""Follow "A season in the garden" of the guide on an arm64 computer: sudo make arm64-season.

Each line of its block is run as it stands, by an ordinary user of a bare Debian 13 for arm64 with
systemd, which QEMU emulates (tools/arm64/machine.py); PyPI is a folder of wheels on this machine,
the camera and the microphone see and hear toy birds (tools/arm64/player.py). Then the service is
killed, and the machine is started anew: exits 1 unless it runs again each time and had a visit.
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
UP_S = 900.0  # of waiting for a service that was started or ended
VISIT_S = 2400.0  # of waiting for the first: an emulated window may take longer than its sound
EMULATED = {"speed"}  # what the doctor may find amiss here


def steps(readme: str) -> list[tuple[str, str]]:
    """Return the lines of the guide's block, parted into command and comment."""
    found = re.search(rf"^## {TITLE}$.*?^```$\n(.*?)^```$", readme, re.M | re.S)
    if found is None:
        raise SystemExit(f"make arm64-season: docs/guide/station.md has no block below {TITLE!r}")
    parted = (line.partition("#") for line in found[1].splitlines() if line.strip())
    return [(command.strip(), comment.strip()) for command, _, comment in parted]


def edits(lines: list[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Return what the comments say is to stand in the configuration: table, key, value."""
    found = (re.match(r"\[(\w+)\]\s+(\w+) = (\".*\")$", comment) for _, comment in lines)
    return [(each[1], each[2], each[3]) for each in found if each]


def logins(lines: list[tuple[str, str]]) -> Iterator[list[str]]:
    """Part the commands by where the user logs in again."""
    commands: list[str] = []
    for command, comment in lines:
        commands += [command] if command else []
        if "log out" in comment:
            yield commands
            commands = []
    yield commands


@contextlib.contextmanager
def package_index(folder: Path) -> Iterator[int]:
    """Serve wheels as PyPI does, from a folder a project; yields the port."""
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
    """Put birdfield's wheel and those that it needs in a folder a project."""
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
    """Run the block as it stands, and log in anew where it says so.

    Raises:
        SystemExit: When a command fails that should not.
    """
    for commands in logins(lines):
        with machine.login() as shell:
            for command in commands:
                begun_s = time.monotonic()
                say(f"$ {command}")
                code, said = shell.run(command)
                say(
                    "".join(f"  {line}\n" for line in said.splitlines()[-16:])
                    + f"  ({time.monotonic() - begun_s:.0f} s, exit code {code})"
                )
                if command == "birdfield config init":
                    edit(machine, edits(lines))
                judge(command, code, said)


def edit(machine: Machine, wanted: list[tuple[str, str, str]]) -> None:
    """Do by sed what a person does in an editor."""
    for table, key, value in wanted:
        say(f"  [{table}] {key} = {value}")
        machine.run(
            f"sed -i 's|^#{key} = .*|{key} = {value}|' {CONFIG} && "
            f"grep -qxF '{key} = {value}' {CONFIG}"
        )


def judge(command: str, code: int, said: str) -> None:
    """Raise SystemExit when a step did not end as the guide says."""
    amiss = {line.split()[1].rstrip(":") for line in said.splitlines() if line.startswith("fail ")}
    waits = command.startswith(("birdfield status", "birdfield visits"))  # "after ..."
    if code and not waits and not (command == "birdfield doctor" and amiss <= EMULATED):
        raise SystemExit(f"make arm64-season: {command!r} ended with exit code {code}")


def status(machine: Machine) -> dict[str, Any]:
    """Return what `birdfield status --json` tells."""
    return dict(json.loads(machine.run(f"{BIRDFIELD} status --json").stdout.splitlines()[-1]))


def wait_watching(machine: Machine, unlike: int | None = None) -> dict[str, Any]:
    """Wait for a watch whose process is another one than before; returns its status."""
    other = f" | grep -v '\"pid\": {unlike},'" if unlike else ""
    machine.wait(f"{BIRDFIELD} status --json{other}", UP_S, '"state": "watching"')
    return status(machine)


def look_after(machine: Machine) -> None:
    """Wait for a visit, kill the service, start the machine anew; print how long each took."""
    begun_s = time.monotonic()
    told = wait_watching(machine)
    say(
        f"service: watching {time.monotonic() - begun_s:.0f} s after the last step; "
        f"{told['windows']} windows"
    )
    took_s = machine.wait(f"{BIRDFIELD} visits ~/garden", VISIT_S, "\n")
    say(
        f"journal: the first visit after {took_s:.0f} s more\n  "
        + machine.run(f"{BIRDFIELD} visits ~/garden").stdout.strip()
    )
    begun_s = time.monotonic()
    machine.run(f"sudo kill -9 {told['pid']}")
    again = wait_watching(machine, told["pid"])
    say(
        f"kill -9: watching again after {time.monotonic() - begun_s:.0f} s, process "
        f"{told['pid']} before, {again['pid']} now; "
        + machine.run("systemctl show birdfield --property=NRestarts").stdout.strip()
    )
    begun_s = time.monotonic()
    machine.restart()
    wait_watching(machine)
    say(f"new start: watching {time.monotonic() - begun_s:.0f} s after it was told to")
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
    say(f"a season in the garden: followed on {arm64_folder()}, with no step missing")
    return 0


if __name__ == "__main__":
    sys.exit(main())
