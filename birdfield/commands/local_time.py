"""Local time: the time zone that a user names for the times that a command reads and writes."""

import difflib
import os
import re
import time
import zoneinfo
from datetime import datetime

from birdfield.errors import UsageError

OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d\d))?")
MAX_HOURS = 14  # of the offset of a zone from UTC
EXAMPLES = "such as Europe/Berlin, UTC or +02:00"


def use_timezone(name: str) -> None:
    """Make a zone the local time of this process.

    Args:
        name: A name of the IANA database, UTC, or an offset such as +02:00.

    Raises:
        UsageError: When there is no such zone, or this machine has no data of it.
    """
    os.environ["TZ"] = _posix_zone(name) or name
    time.tzset()


def _posix_zone(name: str) -> str | None:
    """Return an offset in the form of POSIX, in which west is positive; None for a name."""
    found = OFFSET.fullmatch(name)
    if found is None:
        _check_name(name)
        return None
    hours, minutes = int(found[2]), int(found[3] or 0)
    if hours > MAX_HOURS or minutes > 59:
        raise UsageError(f"--timezone is {name!r}; expected at most {MAX_HOURS} hours from UTC")
    clock = f"{hours:02}:{minutes:02}"
    return f"<{found[1]}{hours:02}{minutes:02}>{'-' if found[1] == '+' else '+'}{clock}"


def _check_name(name: str) -> None:
    try:
        zone = zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        close = difflib.get_close_matches(name, zoneinfo.available_timezones(), 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise UsageError(f"--timezone is {name!r}; expected a zone {EXAMPLES}{hint}") from error
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    moments = [datetime(2026, month, 1).timestamp() for month in (1, 7)]  # noqa: DTZ001 - local
    known = all(
        datetime.fromtimestamp(moment, zone).utcoffset()
        == datetime.fromtimestamp(moment).astimezone().utcoffset()  # noqa: DTZ006 - local
        for moment in moments
    )
    if known:
        return
    _restore(before)
    raise UsageError(
        f"--timezone is {name!r}, of which this system has no data; install tzdata, or name an "
        "offset such as +02:00"
    )


def _restore(zone: str | None) -> None:
    if zone is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = zone
    time.tzset()
