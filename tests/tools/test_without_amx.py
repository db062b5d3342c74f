"""Tests of tools/without_amx.py: the kernel refuses a command the matrix units."""

import errno
import platform
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "without_amx.py"
ASK = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(158, {code}, 18), ctypes.get_errno())
"""
ASK_FOR_PERMISSION, READ_PERMISSIONS = 0x1023, 0x1021  # of arch_prctl(2)

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="only x86-64 processors have AMX",
)


def run_tool(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TOOL), *command], capture_output=True, text=True, check=False
    )


def test_only_the_permission_for_tiles_is_refused() -> None:
    refused = run_tool(sys.executable, "-c", ASK.format(code=ASK_FOR_PERMISSION))
    assert refused.stdout.split() == ["-1", str(errno.EPERM)]
    other = run_tool(sys.executable, "-c", ASK.format(code=READ_PERMISSIONS))
    assert other.stdout.split() != ["-1", str(errno.EPERM)]


def test_the_exit_code_is_that_of_the_command() -> None:
    assert run_tool(sys.executable, "-c", "raise SystemExit(7)").returncode == 7


@pytest.mark.parametrize(
    ("command", "error"), [((), "no command"), (("no-such-command",), "No such file")]
)
def test_a_command_that_cannot_run_ends_in_one_sentence(
    command: tuple[str, ...], error: str
) -> None:
    ended = run_tool(*command)
    assert ended.returncode == 1
    assert error in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
