"""Systemd unit: its quoting and its permissions."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from birdfield.errors import UsageError
from birdfield.service import unit
from birdfield.service.unit import Service, quoted, unit_text


def test_words_are_quoted_for_systemd() -> None:
    assert quoted('a "b" %c $d \\e') == '"a \\"b\\" %%c $$d \\\\e"'
    with pytest.raises(UsageError, match="cannot stand in a unit"):
        quoted("/home/x\nExecStartPre=/bin/evil")


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """If systemd-analyze is installed, it must find no error and few permissions."""
    text = unit_text(
        Service(
            (sys.executable, "-m", "birdfield"),
            "daemon",
            Path("/etc/b x.toml"),
            Path("/srv/100% $birds"),
        )
    )
    for line in (
        "Type=notify",
        f"WatchdogSec={unit.WATCHDOG_S}",
        "ProtectSystem=strict",
        "PrivateTmp=yes",
        "NoNewPrivileges=yes",
        "RestartPreventExitStatus=2 3",
    ):
        assert f"\n{line}\n" in text
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (systemd)")
    (tmp_path / "birdfield.service").write_text(text)
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "birdfield.service"],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0 and checked.stderr == "", checked.stderr
    rated = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=true",
            "--threshold=30",
            tmp_path / "birdfield.service",
        ],
        capture_output=True,
        text=True,
    )
    assert rated.returncode == 0, rated.stdout[-200:]
