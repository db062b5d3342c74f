"""The status file: how a watch goes, for `birdfield status` and for whoever else looks."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from birdfield.config import cache_home
from birdfield.errors import InputError

FILE = "status.json"
SERVICE_FOLDER = Path("/run/birdfield")
WRITE_S = 10.0  # from one writing to the next, but for what changes
STALE_S = 45.0  # not written for so long: the analysis stands still


def status_folder() -> Path:
    """Return where this process writes: its service's, its user's, or the cache."""
    service, user = os.environ.get("RUNTIME_DIRECTORY"), os.environ.get("XDG_RUNTIME_DIR")
    if service:
        return Path(service.split(":")[0])
    return Path(user) / "birdfield" if user else cache_home()


def write_status(folder: Path, entry: Mapping[str, Any]) -> None:
    """Replace the file; not synced, since it means nothing after a power cut.

    Raises:
        OSError: When the folder does not take it.
    """
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = folder / f".{FILE}.{os.getpid()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        os.fchmod(descriptor, 0o644)  # whatever the umask: it holds no picture, sound or password
        json.dump(entry, stream, ensure_ascii=False)
    os.replace(draft, folder / FILE)


def remove_status(folder: Path) -> None:
    """Remove the file at the end of a watch."""
    with suppress(OSError):
        (folder / FILE).unlink()


def read_status() -> dict[str, Any]:
    """Read the newest status that there is: of this user's watch or of the service.

    Raises:
        InputError: When there is none.
    """
    found = []
    for folder in (SERVICE_FOLDER, status_folder()):
        with suppress(OSError, ValueError, KeyError, TypeError):
            entry = json.loads((folder / FILE).read_text(encoding="utf-8"))
            found.append((datetime.fromisoformat(entry["updated"]), entry))
    if not found:
        raise InputError("no station is running here; start one: birdfield watch, or "
                         "sudo birdfield service install")
    entry = max(found, key=lambda each: each[0])[1]
    return dict(entry)


def age_s(entry: Mapping[str, Any]) -> float:
    """Return how long ago a status was written."""
    return (datetime.now(UTC) - datetime.fromisoformat(entry["updated"])).total_seconds()


def state_of(entry: Mapping[str, Any]) -> str:
    """Say "watching", "stalled" or "gone" of what a status file tells."""
    try:
        os.kill(int(entry["pid"]), 0)
    except ProcessLookupError:
        return "gone"
    except PermissionError:  # of another user
        pass
    return "stalled" if age_s(entry) > STALE_S else "watching"


def status_lines(entry: Mapping[str, Any]) -> list[str]:
    """Write a status for a person."""
    last = entry["last"]
    lines = [f"{state_of(entry)} since {entry['started']}, process {entry['pid']}, updated "
             f"{age_s(entry):.0f} s ago",
             f"windows: {entry['windows']}, skipped: {entry['skipped']}, model {entry['model']}",
             "last: " + (f"{last['species']} {last['score']:.2f} at {last['time']}" if last
                         else "nothing yet")]
    for name, fault in entry["faults"].items():
        lines.append(f"{name} {entry[name]}: {fault or 'usable'}")
    if entry["journal"]:
        lines.append(f"journal: {entry['journal']}, visits: {entry['visits']}")
    return lines
