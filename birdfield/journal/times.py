"""Times: how the journal writes wall-clock times, and the name of a boot."""

from datetime import UTC, datetime
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def utc_text(time: datetime) -> str:
    """Return an aware time as the journal writes it: UTC in milliseconds, which sorts as text."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds")


def local_offset_min(time: datetime) -> int:
    """Return the offset of local time from UTC at an aware time, in minutes."""
    offset = time.astimezone().utcoffset()
    assert offset is not None  # astimezone() returns an aware time
    return round(offset.total_seconds() / 60)


def boot_id() -> str | None:
    """Return the kernel's name of this boot, or None if it has none."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return None
