"""Log formats: lines for a person, for systemd's journal, and for programs."""

import json
import logging
from datetime import UTC, datetime

from birdfield.errors import UsageError

# The levels of syslog(3); systemd reads them at the start of a line, see sd-daemon(3).
PRIORITY = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}


class ForPeople(logging.Formatter):
    """Lines with the time of day, the level and the message."""

    def __init__(self) -> None:
        """Set the format."""
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")


class ForSystemd(logging.Formatter):
    """Lines with a priority and the message; systemd adds the time."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message with the priority before each line."""
        prefix = f"<{PRIORITY.get(record.levelno, 6)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


class ForPrograms(logging.Formatter):
    """One JSON object on each line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, module and message as JSON."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


FORMATS = {"plain": ForPeople, "systemd": ForSystemd, "json": ForPrograms}


def set_up_log(form: str, level: int) -> None:
    """Write the log to stderr.

    Args:
        form: A key of FORMATS.
        level: The lowest level to write.

    Raises:
        UsageError: When there is no such format.
    """
    if form not in FORMATS:
        raise UsageError(f"--log is {form!r}; expected one of {', '.join(FORMATS)}")
    handler = logging.StreamHandler()
    handler.setFormatter(FORMATS[form]())
    logging.basicConfig(level=level, handlers=[handler])
