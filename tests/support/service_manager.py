"""Service manager: runs a service as systemd does, with readiness and a watchdog."""

import os
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class ServiceRun:
    """One run of a service.

    Attributes:
        messages: The notifications of the service, in order.
        exit_code: The exit code, or the negative number of a signal.
        killed: Whether the watchdog killed the service.
        log: The stderr of the service.
    """

    messages: list[dict[str, str]] = field(default_factory=list)
    exit_code: int | None = None
    killed: bool = False
    log: str = ""

    @property
    def ready(self) -> bool:
        """Whether the service has reported that it is ready."""
        return any("READY" in message for message in self.messages)

    @property
    def watchdog_count(self) -> int:
        """The number of notifications that reset the watchdog."""
        return sum("WATCHDOG" in message for message in self.messages)


def run_once(
    command: Sequence[str | Path],
    folder: Path,
    watchdog_s: float,
    start_s: float = 60.0,
    environment: dict[str, str] | None = None,
) -> ServiceRun:
    """Run a service as systemd does with Type=notify and no restart.

    Args:
        command: The command of the service.
        folder: The folder for the socket and the log.
        watchdog_s: The time without a notification after which a ready service is killed.
        start_s: The time within which the service must be ready.
        environment: Variables in addition to those of this process.
    """
    run, address = ServiceRun(), str(folder / "n")
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
                    message = _receive(listener)
                    if message:
                        run.messages.append(message)
                    if run.ready and (message.keys() & {"READY", "WATCHDOG"}):
                        limit_s = time.monotonic() + watchdog_s
                    if time.monotonic() > limit_s:
                        run.killed = True
                        process.kill()
                run.exit_code = process.wait()
                while message := _receive(listener):
                    run.messages.append(message)
            finally:
                process.kill()
                process.wait()
            log.seek(0)
            run.log = log.read()
    return run


def _receive(listener: socket.socket) -> dict[str, str]:
    """Return the next notification, or an empty one after the timeout."""
    try:
        text = listener.recv(4096).decode()
    except TimeoutError:
        return {}
    return dict(line.split("=", 1) for line in text.splitlines())
