"""Service notification: systemd's sd_notify(3) protocol over a datagram socket."""

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Sends the state of a service to its manager. Thread-safe."""

    def __init__(self, address: str | None) -> None:
        """Prepare to send to a socket: a path, or @name in the abstract namespace.

        Without an address nothing is sent.
        """
        self._address = "\0" + address[1:] if address and address[0] == "@" else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def send(self, state: Mapping[str, str]) -> None:
        """Send assignments, such as READY=1; a manager that is gone is ignored."""
        if self._address is None:
            return
        lines = "\n".join(f"{name}={value}".replace("\n", " ") for name, value in state.items())
        try:
            self._socket.sendto(lines.encode(), socket.MSG_DONTWAIT, self._address)
        except OSError:
            return

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def service_notifier() -> Notifier:
    """Return the notifier for this process's service manager, by NOTIFY_SOCKET."""
    return Notifier(os.environ.get("NOTIFY_SOCKET"))


def watchdog_s() -> float | None:
    """Return the service manager's watchdog timeout for this process; None without a watchdog."""
    microseconds, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID")
    if not microseconds.isdecimal() or process not in (None, str(os.getpid())):
        return None
    return int(microseconds) / 1e6 or None
