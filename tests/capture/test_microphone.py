import importlib
from pathlib import Path

import pytest

from birdfield.capture.microphone import open_microphone
from birdfield.errors import InputError, MissingError


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"bird\.wav: cannot be read \(No such file or directory\)"),
        (b"", r"bird\.wav: the file is empty; expected a recording"),
        (b"no sound at all", r"bird\.wav: not a recording that can be decoded"),
    ],
)
def test_an_unreadable_file_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "bird.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        open_microphone(str(path), 16_000)


def test_none_is_no_microphone() -> None:
    assert open_microphone("none", 16_000) is None


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError("PortAudio library not found"), "install libportaudio2: sudo apt install"),
        (ImportError("no sounddevice"), "run: pip install sounddevice"),
    ],
)
def test_a_missing_portaudio_is_reported(
    monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def fail(name: str) -> None:
        raise error

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(MissingError, match=message) as caught:
        open_microphone("default", 16_000)
    assert caught.value.exit_code == 3
