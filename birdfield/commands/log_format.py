"""Log lines for a person, for systemd's journal, and for programs."""

import json
import logging
from datetime import UTC, datetime

from birdfield.errors import UsageError

# syslog(3)'s levels, which systemd reads from the start of a line: sd-daemon(3).
PRIORITY = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}


class ForPeople(logging.Formatter):
    """The time of day, the level and the message."""

    def __init__(self) -> None:
        """Write the time without the day."""
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")


class ForSystemd(logging.Formatter):
    """The message behind its priority; systemd adds the time."""

    def format(self, record: logging.LogRecord) -> str:
        """Write each line with the priority."""
        mark = f"<{PRIORITY.get(record.levelno, 6)}>"
        return "\n".join(mark + line for line in super().format(record).splitlines())


class ForPrograms(logging.Formatter):
    """A JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, module and message."""
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
    """Write the log to stderr; raises UsageError when there is no such form."""
    if form not in FORMATS:
        raise UsageError(f"log format is {form!r}; expected one of {', '.join(FORMATS)}")
    handler = logging.StreamHandler()
    handler.setFormatter(FORMATS[form]())
    logging.basicConfig(level=level, handlers=[handler])
