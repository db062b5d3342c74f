"""tools/without_amx.py: a command runs, and the kernel refuses it the matrix units."""

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
ASK_FOR_PERMISSION, TELL_PERMISSIONS = 0x1023, 0x1021  # of arch_prctl(2)

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="of x86-64 processors"
)


def run_tool(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TOOL), *command], capture_output=True, text=True, check=False
    )


def test_permission_for_the_tiles_is_refused_and_nothing_else() -> None:
    refused = run_tool(sys.executable, "-c", ASK.format(code=ASK_FOR_PERMISSION))
    assert refused.stdout.split() == ["-1", str(errno.EPERM)]
    other = run_tool(sys.executable, "-c", ASK.format(code=TELL_PERMISSIONS))
    assert other.stdout.split() != ["-1", str(errno.EPERM)]


def test_the_exit_code_is_the_commands() -> None:
    assert run_tool(sys.executable, "-c", "raise SystemExit(7)").returncode == 7


@pytest.mark.parametrize(
    ("command", "said"), [((), "no command"), (("no-such-command",), "No such file")]
)
def test_what_cannot_run_is_one_sentence(command: tuple[str, ...], said: str) -> None:
    ended = run_tool(*command)
    assert ended.returncode == 1
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
