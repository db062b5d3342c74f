"""Account: sees files as the user of the service will see them."""

import os
import pwd
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from birdfield.errors import ConfigError

# Variables that the shell of the user who installs has, and the service has not.
UNSET = ("BIRDFIELD_MODEL", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")


@contextmanager
def environment_of(account: pwd.struct_passwd) -> Iterator[None]:
    """Replace the environment by what the service of an account will find, during the block."""
    before = dict(os.environ)
    for name in UNSET:
        os.environ.pop(name, None)
    os.environ["HOME"] = account.pw_dir
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def acting_as(account: pwd.struct_passwd) -> Iterator[bool]:
    """Take the rights of an account during the block, where this process is root.

    Yields:
        Whether the block has the rights of the account.
    """
    if os.getuid() != 0:
        yield os.getuid() == account.pw_uid
        return
    groups, group = os.getgroups(), os.getegid()
    os.setgroups(os.getgrouplist(account.pw_name, account.pw_gid))
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        yield True
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def check_readable(paths: Iterable[Path], user: str) -> None:
    """Check that this process may read files.

    Raises:
        ConfigError: If it may not; `user` is the owner of the process in the message.
    """
    for path in paths:
        if not os.access(path, os.R_OK, effective_ids=True):
            raise ConfigError(
                f"{path}: {user}, the user of the service, cannot read it; give that user the "
                "right to read the file and to enter its folders"
            )
