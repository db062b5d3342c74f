"""MP3 files whose length is stated nowhere, or wrongly; at 16 kHz, a frame has 576 samples."""

import io
import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sound_files import RATE_HZ, encoded, mp3_without_length, song

from birdfield.signals.audio import read_audio
from birdfield.signals.sound_files.find import find_parts
from birdfield.signals.sound_files.mp3_frames import find_mp3_frames, read_mp3_head

# Noise, then silence: its first frames are long and its last ones short.
SONG = np.concatenate([song(3.0), np.zeros(3 * RATE_HZ, np.float32)])
SONG[-RATE_HZ:] = song(1.0, seed=1)


def read(tmp_path: Path, data: bytes) -> np.ndarray:
    path = tmp_path / "song.mp3"
    path.write_bytes(data)
    return read_audio(path, RATE_HZ)


def test_the_head_of_a_frame_is_read() -> None:
    """FF FB 90 C4: MPEG 1, layer III, 128 kbit/s at 44.1 kHz: 144 * 128 000 / 44 100 = 417.9."""
    head = read_mp3_head(bytes.fromhex("fffb90c4"))
    assert head is not None
    assert (head.rate_hz, head.size, head.samples, head.mono) == (44_100, 417, 1152, True)
    padded = read_mp3_head(bytes.fromhex("fffb9204"))
    assert padded is not None and padded.size == 418 and not padded.mono


@pytest.mark.parametrize("data", ["00fb90c4", "fffb00c4", "fffbf0c4", "fffb9cc4", "ffea90c4", "ff"])
def test_what_is_no_frame_of_layer_three_has_no_head(data: str) -> None:
    assert read_mp3_head(bytes.fromhex(data)) is None


def test_a_length_that_is_stated_nowhere_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """libsndfile alone stops after half of it; a few frames more than 6 s are the encoder's."""
    data = mp3_without_length(SONG)
    assert soundfile.info(io.BytesIO(data)).frames < 0.6 * len(SONG)
    waveform = read(tmp_path, data)
    assert 0 <= len(waveform) - len(SONG) <= 4 * 576
    assert waveform[-RATE_HZ // 2 :].std() > 0.03, "the noise at the end is there"
    assert not caplog.messages


def test_a_whole_file_is_read_to_the_sample(tmp_path: Path) -> None:
    """Its first frame states what the encoder added, which the decoder leaves out again."""
    data = encoded(SONG, "MP3")
    whole, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    assert len(whole) == len(SONG)
    assert np.allclose(read(tmp_path, data), whole, atol=1e-6)


@pytest.mark.parametrize(
    "between", [b"", b"TAG" + bytes(125), b"ID3\3\0\0\0\0\2\0" + b"\xff" * 256]
)
def test_joined_files_are_read_one_after_the_other(
    tmp_path: Path, between: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """6 s and 3 s, with the tag that ends the first file or begins the second between them."""
    first, second = encoded(SONG, "MP3"), encoded(SONG[: 3 * RATE_HZ], "MP3")
    assert len(read(tmp_path, first + between + second)) == 9 * RATE_HZ
    assert not caplog.messages


def test_joined_files_may_have_different_rates(tmp_path: Path) -> None:
    """3 s at 16 kHz, and as many samples at 32 kHz: 1.5 s."""
    buffer = io.BytesIO()
    soundfile.write(buffer, SONG[: 3 * RATE_HZ], 2 * RATE_HZ, format="MP3")
    waveform = read(tmp_path, encoded(SONG[: 3 * RATE_HZ], "MP3") + buffer.getvalue())
    assert abs(len(waveform) - 4.5 * RATE_HZ) <= 2


def test_damage_is_silence_of_its_length_and_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """At a constant bit rate, a quarter of the bytes is a quarter of the 3 s, and a few frames."""
    data = encoded(song(3.0), "MP3", bitrate_mode="CONSTANT", compression_level=0.5)
    start, count = len(data) // 2, len(data) // 4
    with caplog.at_level(logging.WARNING):
        waveform = read(tmp_path, data[:start] + bytes(count) + data[start + count :])
    assert len(waveform) == 3 * RATE_HZ
    assert np.abs(waveform[26_000:34_000]).max() < 1e-3 < waveform[:20_000].std()
    assert waveform[-6_000:].std() > 0.03
    lost_s = float(caplog.messages[0].split("song.mp3: ")[1].split(" s of 3.0 s")[0])
    assert 0.75 <= lost_s <= 0.75 + 6 * 576 / RATE_HZ
    assert not capfd.readouterr().err, "libmpg123 has nothing to say"


def test_a_cut_file_says_how_much_its_first_frame_promised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = encoded(song(3.0), "MP3", bitrate_mode="CONSTANT", compression_level=0.5)
    with caplog.at_level(logging.WARNING):
        waveform = read(tmp_path, data[: len(data) // 2])
    assert abs(len(waveform) - 1.5 * RATE_HZ) < 4 * 576
    assert "s of 3.1 s cannot be read" in caplog.text, "with what the encoder added"


@pytest.mark.parametrize("data", [b"\xff" * 5_000, b"\xff\xfb\x90\xc4" * 2_000, b"ID3" + bytes(99)])
def test_what_only_looks_like_frames_has_no_part(data: bytes) -> None:
    assert find_mp3_frames(io.BytesIO(data), len(data)) == ()
    assert len(find_parts(io.BytesIO(data), len(data))) == 1
