"""The status files: how each watch goes, for `birdfield status` and for whoever else looks."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from birdfield.errors import InputError
from birdfield.paths import cache_home

SERVICE_FOLDER = Path("/run/birdfield")
WRITE_S = 10.0  # from one writing to the next, but for what changes
STALE_S = 45.0  # not written for so long: the analysis stands still


def status_folder() -> Path:
    """Return where this process writes: its service's, its user's, or the cache."""
    service, user = os.environ.get("RUNTIME_DIRECTORY"), os.environ.get("XDG_RUNTIME_DIR")
    if service:
        return Path(service.split(":")[0])
    return Path(user) / "birdfield" if user else cache_home()


def status_file(folder: Path, pid: int) -> Path:
    """Name the file of a process: a user may run several watches."""
    return folder / f"status-{pid}.json"


def write_status(folder: Path, entry: Mapping[str, Any]) -> None:
    """Replace the file of this process; not synced, since it means nothing after a power cut.

    Raises:
        OSError: When the folder does not take it.
    """
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    path = status_file(folder, os.getpid())
    draft = path.with_suffix(".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        os.fchmod(descriptor, 0o644)  # whatever the umask: it holds no picture, sound or password
        json.dump(
            {**entry, "pid": os.getpid(), "born": _born(os.getpid())}, stream, ensure_ascii=False
        )
    os.replace(draft, path)


def remove_status(folder: Path) -> None:
    """Remove the file of this process at the end of its watch."""
    with suppress(OSError):
        status_file(folder, os.getpid()).unlink()


def sweep(folder: Path) -> None:
    """Remove what watches that were killed left in a folder."""
    with suppress(OSError, ValueError, OverflowError):
        for path in folder.glob("status-*"):
            pid, entry = int(path.stem.partition("-")[2]), _read(path)
            if not _lives({"pid": pid, "born": entry["born"] if entry else None}):
                path.unlink()


def _born(pid: int) -> int | None:
    """Return when a process began, in ticks since the machine did; None where that is hidden.

    A number of a process is given again; with its beginning it is not.
    """
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def _lives(entry: Mapping[str, Any]) -> bool:
    """Tell whether the process that wrote an entry is there."""
    try:
        os.kill(entry["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        pass
    return entry["born"] is None or _born(entry["pid"]) in (None, entry["born"])


def _read(path: Path) -> dict[str, Any] | None:
    """Read a file; None when it is not one that `write_status` wrote."""
    try:
        entry = dict(json.loads(path.read_text(encoding="utf-8")))
        _lives(entry), _at(entry, "started"), _at(entry, "updated")
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    return entry


def _at(entry: Mapping[str, Any], name: str) -> datetime:
    return datetime.fromisoformat(entry[name])


def read_statuses() -> list[dict[str, Any]]:
    """Read the status of each watch that lives: of this user and of the service, the oldest first.

    Returns:
        At least one; the newest of those that are gone when none lives.

    Raises:
        InputError: When there is none at all.
    """
    paths = [
        path
        for folder in sorted({SERVICE_FOLDER, status_folder()})
        for path in folder.glob("status-*.json")
    ]
    found = [entry for entry in map(_read, paths) if entry]
    if not found:
        raise InputError(
            "no station is running here; start one: birdfield watch, or "
            "sudo birdfield service install"
        )
    living = [entry for entry in found if _lives(entry)]
    return sorted(
        living or [max(found, key=lambda entry: _at(entry, "updated"))],
        key=lambda entry: _at(entry, "started"),
    )


def age_s(entry: Mapping[str, Any]) -> float:
    """Return how long ago a status was written."""
    return (datetime.now(UTC) - _at(entry, "updated")).total_seconds()


def state_of(entry: Mapping[str, Any]) -> str:
    """Say "watching", "stalled" or "gone" of what a status file tells."""
    if not _lives(entry):
        return "gone"
    return "stalled" if age_s(entry) > STALE_S else "watching"


def status_lines(entry: Mapping[str, Any]) -> list[str]:
    """Write a status for a person."""
    last = entry["last"]
    lines = [
        f"{state_of(entry)} since {entry['started']}, process {entry['pid']}, updated "
        f"{age_s(entry):.0f} s ago",
        f"windows: {entry['windows']}, skipped: {entry['skipped']}, model {entry['model']}",
        "last: "
        + (f"{last['species']} {last['score']:.2f} at {last['time']}" if last else "nothing yet"),
    ]
    for name, fault in entry["faults"].items():
        lines.append(f"{name} {entry[name]}: {fault or 'usable'}")
    if entry["journal"]:
        lines.append(f"journal: {entry['journal']}, visits: {entry['visits']}")
    return lines
