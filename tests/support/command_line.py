"""Command line: runs birdfield in this process, and checks its output."""

import json
import sys
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from birdfield.commands.app import app

PROGRAM = Path(sys.executable).with_name("birdfield")


def run(*arguments: object) -> Any:
    """Run birdfield with these arguments, and return the result."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def lines_of(result: Any) -> list[dict[str, Any]]:
    """Return the JSON lines of a run that succeeded."""
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def assert_refused(result: Any, exit_code: int, *words: str) -> None:
    """Check that a run failed: one sentence with the words on stderr, and nothing on stdout."""
    assert result.stdout == "" and result.exit_code == exit_code, result.output
    assert result.stderr.startswith("birdfield: ") and result.stderr.count("\n") == 1
    assert all(word in result.stderr for word in words), result.stderr
