"""Permissions: folders of a test that the user of a service may enter."""

from pathlib import Path


def let_users_enter(folder: Path) -> None:
    """Let every user enter a folder and those around it, up to pytest's own."""
    for each in (folder, *folder.parents):
        if each.stat().st_mode & 0o011 != 0o011:
            each.chmod(each.stat().st_mode | 0o011)
        if each.name.startswith("pytest-of-"):
            break
