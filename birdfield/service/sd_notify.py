"""systemd's notify protocol (sd_notify(3)) over a plain socket; silent where nobody listens."""

import os
import socket


class Notifier:
    """Tells a service manager how it goes. Thread-safe."""

    def __init__(self, address: str | None) -> None:
        """Send to a socket: a path, or @name in the abstract namespace; None sends nothing."""
        self._address = "\0" + address[1:] if address and address[0] == "@" else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def send(self, **state: object) -> None:
        """Send assignments, such as READY=1; a manager that is gone is no reason to stop."""
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


def notifier() -> Notifier:
    """Return the notifier of this process's service manager, by NOTIFY_SOCKET."""
    return Notifier(os.environ.get("NOTIFY_SOCKET"))


def watchdog_s() -> float | None:
    """Return after how long without a sign of life this process is ended; None for never."""
    microseconds, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID")
    if not microseconds.isdecimal() or process not in (None, str(os.getpid())):
        return None
    return int(microseconds) / 1e6 or None
