"""Processes: whether the process with a number is still the one that was meant."""

import os
from pathlib import Path


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in ticks since the machine did; None where that is hidden.

    The kernel reuses the numbers of processes; with the start, a number is unique.
    """
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def is_running(pid: int, born: int | None) -> bool:
    """Return whether a process is running.

    Args:
        pid: The number of the process.
        born: Its `start_ticks`; None compares the number alone.

    Raises:
        OverflowError: When the number is too large for a process.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # a process of another user
        pass
    return born is None or start_ticks(pid) in (None, born)
