import logging
from pathlib import Path

import pytest
from sound_files import RATE_HZ, encoded, song

from birdfield.signals.audio import read_audio


def read(tmp_path: Path, data: bytes) -> int:
    path = tmp_path / "song.ogg"
    path.write_bytes(data)
    return len(read_audio(path, RATE_HZ))


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_joined_files_are_read_one_after_the_other(
    tmp_path: Path, subtype: str, caplog: pytest.LogCaptureFixture
) -> None:
    """2 s, 1 s and 2 s at 16 kHz are 80 000 samples."""
    first, second = (encoded(song(length_s), "OGG", subtype) for length_s in (2.0, 1.0))
    assert read(tmp_path, first + second + first) == 80_000
    assert not caplog.messages


def test_what_is_between_two_files_is_passed_over(tmp_path: Path) -> None:
    whole = encoded(song(2.0), "OGG", "VORBIS")
    assert read(tmp_path, whole + b"no page" * 100 + whole) == 64_000


def test_a_file_without_its_last_page_is_cut(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = encoded(song(8.0), "OGG", "VORBIS")
    with caplog.at_level(logging.WARNING):
        count = read(tmp_path, whole[: whole.rindex(b"OggS")])
    assert 0 < count < 8 * RATE_HZ
    assert f"song.ogg: cut after {count / RATE_HZ:.1f} s; copy the file again" in caplog.text
