"""What reaches stderr: lines of libraries, errors that nobody caught, and closed streams."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import PROGRAM

SET_UP = """
import os, sys, threading
from birdfield.commands.log_format import log_uncaught_errors, set_up_log
from birdfield.commands.native_output import divert_native_output, open_standard_streams
open_standard_streams()
divert_native_output()
set_up_log(sys.argv[1], sys.argv[2] == "verbose")
log_uncaught_errors()
"""
FROM_A_LIBRARY = 'os.write(2, b"[rtsp @ 0x1] rtsp://me:s3cret@h/x failed\\n")'
IN_A_THREAD = """
def run():
    raise RuntimeError("http://me:s3cret@h/ is lost")
thread = threading.Thread(target=run, name="camera")
thread.start()
thread.join()
"""
IN_MAIN = """
from birdfield.commands import app
def fail():
    raise ZeroDivisionError("http://me:s3cret@h/")
app.app = fail
app.main()
"""


def stderr_of(code: str, form: str = "plain", verbose: bool = False) -> str:
    """Run code in a process that logs; return its stderr, which has no password."""
    done = subprocess.run(
        [sys.executable, "-c", SET_UP + code, form, "verbose" if verbose else ""],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "s3cret" not in done.stderr
    return done.stderr


def test_lines_of_libraries_are_logged_as_details() -> None:
    assert stderr_of(FROM_A_LIBRARY) == ""
    line = json.loads(stderr_of(FROM_A_LIBRARY, "json", verbose=True))
    assert line["logger"] == "birdfield.native" and line["level"] == "debug"
    assert line["message"] == "[rtsp @ 0x1] rtsp://***@h/x failed"


def test_what_python_writes_to_stderr_still_arrives() -> None:
    assert stderr_of('print("one", file=sys.stderr); os.write(2, b"two")') == "one\n"


def test_an_error_that_ends_a_thread_is_one_line() -> None:
    line = stderr_of(IN_A_THREAD)
    assert line.count("\n") == 2
    assert "ERROR unexpected error in camera\nRuntimeError: http://***@h/ is lost (<string>" in line
    entry = json.loads(stderr_of(IN_A_THREAD, "json"))
    assert entry["message"] == "unexpected error in camera"
    assert entry["exception"].startswith("Traceback")
    assert "Traceback" in stderr_of(IN_A_THREAD, verbose=True)


def test_an_unexpected_error_of_a_command_is_one_sentence() -> None:
    line = stderr_of(IN_MAIN)
    assert line.startswith(
        "birdfield: unexpected error, ZeroDivisionError: http://***@h/ (<string>"
    )
    assert line.count("\n") == 1 and "Traceback" not in line
    assert json.loads(stderr_of(IN_MAIN, "json"))["level"] == "error"


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_command_runs_without_a_standard_stream(closed: str, fake: Path) -> None:
    """What the command opens must not get the number of the closed stream."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" info "$1" {closed}', PROGRAM, fake],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith("model ") == (">&-" not in closed.split())


def test_a_reader_that_leaves_ends_a_command_silently(fake: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f'("{PROGRAM}" info "{fake}"; echo "exit code $?" >&2) | true'],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == "exit code 1\n"
