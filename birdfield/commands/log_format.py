"""Log formats: lines for a person, for systemd's journal, and for programs."""

import json
import logging
import sys
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from birdfield.errors import UsageError
from birdfield.redaction import MaskingFormatter, mask_text

log = logging.getLogger(__name__)

# The levels of syslog(3); systemd reads them at the start of a line, see sd-daemon(3).
PRIORITY = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}


ErrorInfo = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)


class ShortFormatter(MaskingFormatter):
    """A formatter that writes an error as one line; its traceback only where DEBUG is logged."""

    def formatException(self, ei: ErrorInfo) -> str:  # noqa: N802
        """Return the kind, the text and the place of an error."""
        if logging.getLogger("birdfield").isEnabledFor(logging.DEBUG) or ei[1] is None:
            return super().formatException(ei)
        return describe(ei[1])


class ForPeople(ShortFormatter):
    """Lines with the local time of day, the level and the message."""

    def __init__(self) -> None:
        """Set the format."""
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")


class ForSystemd(ShortFormatter):
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
            "message": mask_text(record.getMessage()),
        }
        if record.exc_info:
            entry["exception"] = mask_text(self.formatException(record.exc_info))
        return json.dumps(entry)


def log_for_programs(sentence: str) -> bool:
    """Log an error's sentence if the log is for programs, or for systemd; return whether it is."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, (ForPrograms, ForSystemd)):
            logging.getLogger("birdfield").error("%s", sentence)
            return True
    return False


FORMATS = {"plain": ForPeople, "systemd": ForSystemd, "json": ForPrograms}


def set_up_log(form: str, verbose: bool) -> None:
    """Write the log to stderr.

    Args:
        form: A key of FORMATS.
        verbose: Whether to write what birdfield logs as DEBUG; else warnings and errors.

    Raises:
        UsageError: When there is no such format.
    """
    if form not in FORMATS:
        raise UsageError(f"--log is {form!r}; expected one of {', '.join(FORMATS)}")
    handler = logging.StreamHandler()
    handler.setFormatter(FORMATS[form]())
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])
    if verbose:
        logging.getLogger("birdfield").setLevel(logging.DEBUG)


def describe(error: BaseException) -> str:
    """Return the kind, the text and the place of an unexpected error as one masked line."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())
    return mask_text(f"{type(error).__name__}{': ' if text else ''}{text}{place}")


def log_uncaught_errors() -> None:
    """Log the errors that end a thread, or that Python ignores, where it would print tracebacks."""
    threading.excepthook = _log_thread_error
    sys.unraisablehook = _log_ignored_error


def _log_thread_error(error: threading.ExceptHookArgs) -> None:
    if error.exc_value is not None and error.exc_type is not SystemExit:
        name = error.thread.name if error.thread else "a thread"
        log.error("unexpected error in %s", name, exc_info=error.exc_value)


def _log_ignored_error(error: "sys.UnraisableHookArgs") -> None:
    log.debug("unexpected error, ignored: %s", error.err_msg, exc_info=error.exc_value)
