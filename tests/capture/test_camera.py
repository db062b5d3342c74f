import sys
from pathlib import Path

import pytest

from birdfield.capture.camera import open_camera
from birdfield.errors import InputError, MissingError


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"away\.mp4: no such video file; expected a file, a "):
        open_camera(str(tmp_path / "away.mp4"))


def test_none_is_no_camera() -> None:
    assert open_camera("none") is None


def test_the_pis_camera_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(
        MissingError,
        match="sudo apt install python3-picamera2, and birdfield in "
        "a venv made with --system-site-packages",
    ) as caught:
        open_camera("picamera2")
    assert caught.value.exit_code == 3
