"""Native output: turns what C and C++ libraries write to stderr into log records."""

import atexit
import io
import logging
import os
import sys
import threading

JOIN_S = 1.0  # how long the end of the process waits for lines that are still in the pipe
MAX_LINE_BYTES = 2000

log = logging.getLogger("birdfield.native")


def open_standard_streams() -> None:
    """Open /dev/null in place of each standard stream that the caller has closed.

    A camera or a journal would otherwise get the number of the stream, and its output.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        continue
    os.close(descriptor)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


def divert_native_output() -> None:
    """Send what libraries write to descriptor 2 to the log, as DEBUG; Python's stderr stays.

    FFmpeg, OpenCV, ALSA and TensorFlow Lite write there whatever the format of the log is.
    """
    if not isinstance(sys.stderr, io.TextIOWrapper) or sys.stderr.fileno() != 2:
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    sys.stderr = os.fdopen(
        stderr, "w", encoding=sys.stderr.encoding, errors=sys.stderr.errors, buffering=1
    )
    reader, writer = os.pipe()
    os.dup2(writer, 2)
    os.close(writer)
    thread = threading.Thread(target=_log_lines, args=(reader,), name="native output", daemon=True)
    thread.start()
    atexit.register(_restore, stderr, thread)


def _log_lines(reader: int) -> None:
    with open(reader, "rb") as lines:
        while line := lines.readline(MAX_LINE_BYTES):
            if text := line.decode(errors="replace").strip():
                log.debug("%s", text)


def _restore(stderr: int, thread: threading.Thread) -> None:
    """Give descriptor 2 back, which ends the pipe, and wait for its last lines."""
    os.dup2(stderr, 2)
    thread.join(JOIN_S)
