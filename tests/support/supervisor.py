"""A service manager as systemd is one: readiness, a watchdog, and a start after each end."""

import os
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Life:
    """One run of a service: what it told, how it ended, and whether the watchdog ended it."""

    told: list[dict[str, str]] = field(default_factory=list)
    exit_code: int | None = None
    bitten: bool = False
    log: str = ""

    @property
    def ready(self) -> bool:
        return any("READY" in each for each in self.told)

    def signs(self) -> int:
        return sum("WATCHDOG" in each for each in self.told)


def live(
    command: Sequence[str | Path],
    folder: Path,
    watchdog_s: float,
    start_s: float = 60.0,
    environment: dict[str, str] | None = None,
) -> Life:
    """Run a service once, as systemd does with Type=notify.

    Args:
        command: What it runs.
        folder: For its socket and its log.
        watchdog_s: Without a sign of life for so long, once it is ready, it is killed.
        start_s: When it must be ready.
        environment: That it gets on top.
    """
    life, address = Life(), str(folder / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        Path(address).unlink(missing_ok=True)
        listener.bind(address)
        listener.settimeout(0.05)
        with (folder / "log").open("w+") as log:
            process = subprocess.Popen(
                command,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={
                    **os.environ,
                    "NOTIFY_SOCKET": address,
                    "WATCHDOG_USEC": str(round(watchdog_s * 1e6)),
                    **(environment or {}),
                },
            )
            limit_s = time.monotonic() + start_s
            try:
                while process.poll() is None:
                    told = _receive(listener)
                    if told:
                        life.told.append(told)
                    if life.ready and (told.keys() & {"READY", "WATCHDOG"}):
                        limit_s = time.monotonic() + watchdog_s
                    if time.monotonic() > limit_s:
                        life.bitten = True
                        process.kill()
                life.exit_code = process.wait()
                while told := _receive(listener):
                    life.told.append(told)
            finally:
                process.kill()
                process.wait()
            log.seek(0)
            life.log = log.read()
    return life


def _receive(listener: socket.socket) -> dict[str, str]:
    try:
        text = listener.recv(4096).decode()
    except TimeoutError:
        return {}
    return dict(line.split("=", 1) for line in text.splitlines())
