"""Status files: one file for each running watch, which any process may read."""

import json
import os
from contextlib import suppress
from pathlib import Path

from birdfield.paths import cache_home
from birdfield.service.process import is_running
from birdfield.service.status import Status, from_json, to_json

SERVICE_FOLDER = Path("/run/birdfield")
WRITE_S = 10.0  # between writes, unless a source fails or recovers


def status_folder() -> Path:
    """Return the folder for this process's status: of its service, its user, or the cache."""
    service, user = os.environ.get("RUNTIME_DIRECTORY"), os.environ.get("XDG_RUNTIME_DIR")
    if service:
        return Path(service.split(":")[0])
    return Path(user) / "birdfield" if user else cache_home()


def status_file(folder: Path, pid: int) -> Path:
    """Return the status file of a process; a user may run several watches."""
    return folder / f"status-{pid}.json"


def write_status(folder: Path, status: Status) -> None:
    """Replace the status file of a process, readable for all users.

    The file is not synced, since it has no meaning after a power cut.

    Raises:
        OSError: When the folder cannot be written.
    """
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    path = status_file(folder, status.pid)
    draft = path.with_suffix(".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        os.fchmod(descriptor, 0o644)  # whatever the umask: no picture, sound or password is in it
        json.dump(to_json(status), stream, ensure_ascii=False)
    os.replace(draft, path)


def remove_status(folder: Path, pid: int) -> None:
    """Remove the status file of a process at the end of its watch."""
    with suppress(OSError):
        status_file(folder, pid).unlink()


def remove_stale_statuses(folder: Path) -> None:
    """Remove the status files of processes that are not running."""
    with suppress(OSError, ValueError, OverflowError):
        for path in folder.glob("status-*"):
            status = _read_status(path)
            pid = int(path.stem.partition("-")[2])
            if not is_running(pid, status.born if status else None):
                path.unlink()


def _read_status(path: Path) -> Status | None:
    """Return the status in a file; None when `write_status` did not write it."""
    try:
        status = from_json(dict(json.loads(path.read_text(encoding="utf-8"))))
        is_running(status.pid, status.born)  # refuses what cannot be a process
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return status


def read_statuses() -> list[Status]:
    """Return the status of each running watch of this user and of the service, the oldest first.

    Returns:
        The newest status of the others when no watch is running; empty when there is none.
    """
    paths = [
        path
        for folder in sorted({SERVICE_FOLDER, status_folder()})
        for path in folder.glob("status-*.json")
    ]
    found = [status for status in map(_read_status, paths) if status is not None]
    running = [status for status in found if status.running]
    if not running:
        return sorted(found, key=lambda status: status.updated)[-1:]
    return sorted(running, key=lambda status: status.started)
