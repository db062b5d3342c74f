"""Time texts: the forms in which names and tags of files state when they were recorded."""

import re
from datetime import UTC, datetime, timedelta, timezone

_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,]\d+)?"
_TIME = (
    rf"(?P<year>\d{{4}})[-:/](?P<month>\d\d)[-:/](?P<day>\d\d)[T ]{_CLOCK} ?"
    r"(?P<zone>Z|[+-]\d\d:?\d\d)?"
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

EXIF = re.compile(_TIME)
GUANO = re.compile(rf"GUANO\|Version:(?s:.{{0,4000}}?)\nTimestamp: *{_TIME}")
WAMD = re.compile(rf"wamd(?s:.{{0,1000}}?){_TIME}")  # of Wildlife Acoustics' Song Meters
AUDIOMOTH = re.compile(
    rf"Recorded at {_CLOCK} (?P<day>\d\d)/(?P<month>\d\d)/(?P<year>\d{{4}})"
    r"(?: \((?P<zone>UTC[+-]?[\d:]*)\))?"
)
RECORDED = re.compile(rf"(?i:recorded|recording started)(?i: at| on)?:? {_TIME}")
BEXT = re.compile(  # EBU Tech 3285: 4 bytes of size and 320 bytes before the date
    r"bext(?s:.{324})(?P<year>\d{4})[-_:/. ](?P<month>\d\d)[-_:/. ](?P<day>\d\d)"
    r"(?P<hour>\d\d)[-_:/. ](?P<minute>\d\d)[-_:/. ](?P<second>\d\d)"
)
TAGS = (
    re.compile(rf"com\.apple\.quicktime\.creationdate(?s:.{{0,2000}}?){_TIME}"),
    re.compile(
        rf"(?:(?:ICRD|IDIT)(?s:.{{4}})|TDRC(?s:.{{7}})|(?i:(?:date|creation_time)=)){_TIME}"
    ),
    re.compile(  # of AVI files, as asctime() writes it
        rf"IDIT(?s:.{{4}})\w{{3}} (?P<month>\w{{3}}) +(?P<day>\d\d?) {_CLOCK} (?P<year>\d{{4}})"
    ),
)
NAME = re.compile(
    r"(?<!\d)(?P<year>\d{4})(?P<d>[-_.:]?)(?P<month>\d\d)(?P=d)(?P<day>\d\d)"
    r"(?:[ T_$-]?| at |-birdnet-(?:RTSP_\d+-)?)"
    r"(?P<hour>\d\d)(?P<t>[-_.:]?)(?P<minute>\d\d)(?P=t)(?P<second>\d\d)"
    r"(?:\d{3})?(?!\d)(?P<zone>Z|[+-]\d{4}(?!\d)|[+-]\d\d:\d\d)?"
)
HEXADECIMAL = re.compile(r"[56][0-9A-F]{7}")  # of an early AudioMoth: seconds since 1970, 2012..29
PIXEL = "PXL_"  # Google's phones name their films and pictures by UTC


def time_of(match: re.Match[str] | None) -> datetime | None:
    """Return the time of a match of the patterns above; None where there is no such time.

    A time without a zone is local time, except that of an AudioMoth, which is UTC.
    """
    if match is None:
        return None
    found = match.groupdict()
    month = found["month"].lower()
    try:
        time = datetime(  # noqa: DTZ001 - the zone follows
            int(found["year"]),
            MONTHS.index(month) + 1 if month in MONTHS else int(month),
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            int(found["second"]),
        )
        zone = found.get("zone")
        if match.re is AUDIOMOTH:
            zone = zone or "UTC"
        return time.astimezone() if not zone else time.replace(tzinfo=_zone(zone))
    except (ValueError, OverflowError):  # such as month 13, or EXIF's 0000:00:00
        return None


def _zone(text: str) -> timezone:
    """Return the zone of "Z", "+HHMM", "+HH:MM", "UTC" or "UTC+H:MM"."""
    sign = "-" if "-" in text else "+"
    digits = text.removeprefix("UTC").strip("Z+-").replace(":", "")
    if not digits:
        return UTC
    hours, minutes = (digits, "0") if len(digits) <= 2 else (digits[:-2], digits[-2:])
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if sign == "-" else offset)


def time_in_name(stem: str) -> datetime | None:
    """Return the time in the name of a file, without its suffix; None where there is none."""
    for match in NAME.finditer(stem):
        if (time := time_of(match)) is not None:
            return time.replace(tzinfo=UTC) if stem.startswith(PIXEL) else time
    if HEXADECIMAL.fullmatch(stem):
        return datetime.fromtimestamp(int(stem, 16), UTC)
    return None
