"""Housekeeping: files and folders that NAS systems, Windows and macOS keep among one's own."""

from pathlib import PurePath

# By name, in lower case: thumbnails, trash, snapshots and what a file check found.
NAMES = frozenset(
    {
        "@eadir",
        "@recycle",
        "@recently-snapshot",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "__macosx",
        "desktop.ini",
        "lost+found",
        "system volume information",
        "thumbs.db",
    }
)


def is_housekeeping(path: PurePath) -> bool:
    """Return whether a path, relative to what a user named, is hidden or kept by a system."""
    return any(part.startswith(".") or part.lower() in NAMES for part in path.parts)
