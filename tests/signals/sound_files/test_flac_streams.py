"""FLAC files whose header states a wrong length, or none; libsndfile writes frames of 4 096."""

import logging
from pathlib import Path

import numpy as np
import pytest
from sound_files import RATE_HZ, encoded, song

from birdfield.signals.audio import read_audio
from birdfield.signals.sound_files.flac_streams import FlacFrame, crc8, read_frame_head

SONG = song(3.0)
AS_16_BIT = np.round(SONG * 32_768) / np.float32(32_768)
WHOLE = encoded(SONG, "FLAC")


def with_length(data: bytes, length: int) -> bytes:
    """State a length in the 36 bits of RFC 9639, 8.2, which end at byte 26."""
    low = (data[21] & 0xF0) << 32 | length
    return data[:21] + low.to_bytes(5, "big") + data[26:]


def read(tmp_path: Path, data: bytes) -> np.ndarray:
    path = tmp_path / "song.flac"
    path.write_bytes(data)
    return read_audio(path, RATE_HZ)


@pytest.mark.parametrize("length", [0, 8_000, 48_000])
def test_the_length_is_that_of_the_frames(
    tmp_path: Path, length: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A pipe states 0; 3 s are 48 000 samples."""
    waveform = read(tmp_path, with_length(WHOLE, length))
    assert np.allclose(waveform, AS_16_BIT, atol=1 / 32_768) and len(waveform) == 48_000
    assert not caplog.messages


def test_joined_files_are_read_one_after_the_other(tmp_path: Path) -> None:
    assert len(read(tmp_path, WHOLE + encoded(SONG[:16_000], "FLAC"))) == 64_000


def test_a_cut_file_says_how_much_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        waveform = read(tmp_path, WHOLE[: len(WHOLE) // 2])
    assert 18_000 <= len(waveform) <= 28_000
    assert np.allclose(waveform, AS_16_BIT[: len(waveform)], atol=1 / 32_768)
    assert "s of 3.0 s cannot be read" in caplog.text


def test_damage_is_silence_of_its_length_and_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """500 bytes lie in at most two frames of 0.256 s; reads near them are 0.1 s long."""
    start = len(WHOLE) // 2
    with caplog.at_level(logging.WARNING):
        waveform = read(tmp_path, WHOLE[:start] + bytes(500) + WHOLE[start + 500 :])
    assert len(waveform) == 48_000
    right = np.isclose(waveform, AS_16_BIT, atol=1 / 32_768)
    assert 48_000 - right.sum() <= 2 * 4_096 + 2 * 1_600
    assert not waveform[~right].any()
    assert "s of 3.0 s cannot be read" in caplog.text


def test_the_head_of_a_frame_is_read() -> None:
    """Frame 300 of 4 096 samples: 300 is C4 AC as UTF-8; size code 12 is 256 * 2^4."""
    head = bytes((0xFF, 0xF8, 0xC9, 0x08, 0xC4, 0xAC))
    head += bytes((crc8(head),))
    assert read_frame_head(head + bytes(9), 4_096) == FlacFrame(300 * 4_096, 4_096)
    assert read_frame_head(head[:-1] + bytes((head[-1] ^ 1,)) + bytes(9), 4_096) is None


def test_the_checksum_is_that_of_the_standard() -> None:
    """The check value of CRC-8 with polynomial 0x07, of "123456789", is 0xF4."""
    assert crc8(b"123456789") == 0xF4
