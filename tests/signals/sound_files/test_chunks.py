"""WAV, RF64, W64 and AIFF files whose header states a wrong size: 2 s are 32 000 samples."""

import io
import logging
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sound_files import RATE_HZ, chunk, encoded, song, wav

from birdfield.errors import InputError
from birdfield.signals.audio import read_audio
from birdfield.signals.sound_files.find import find_parts

SONG = song(2.0)
AS_16_BIT = (SONG * 32_767).astype("<i2") / np.float32(32_768)


def read(tmp_path: Path, data: bytes, ending: str = "wav") -> np.ndarray:
    path = tmp_path / f"night.{ending}"
    path.write_bytes(data)
    return read_audio(path, RATE_HZ)


@pytest.mark.parametrize(
    "size",
    [0, 0xFFFF_FFFF, 0x8000_0000, 0x7FFF_FFFF, 16_000, 63_900],
    ids=["never closed", "a pipe", "arecord", "sox", "wrapped", "wrapped, a little short"],
)
def test_a_wav_is_read_to_its_end_whatever_its_size(
    tmp_path: Path, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert np.array_equal(read(tmp_path, wav(SONG, size)), AS_16_BIT)
    assert not caplog.messages, "nothing is lost"


@pytest.mark.parametrize(
    "behind",
    [
        chunk(b"LIST", b"INFO" + bytes(40)),
        chunk(b"LIST", b"INFO", stated=1000),
        chunk(b"guan", b"GUANO|Version: 1.0") + chunk(b"abcd", bytes(99)) + b"\0",
        bytes(3),
    ],
    ids=["a chunk", "a cut chunk", "two chunks", "less than a chunk"],
)
def test_what_follows_the_sound_is_no_sound(tmp_path: Path, behind: bytes) -> None:
    assert np.array_equal(read(tmp_path, wav(SONG, behind=behind)), AS_16_BIT)


def test_a_cut_wav_says_how_much_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """64 000 bytes are stated; 16 000 and a half sample are there: 8 000 samples, 0.5 s of 2 s."""
    with caplog.at_level(logging.WARNING):
        waveform = read(tmp_path, wav(SONG)[: 44 + 16_001])
    assert np.array_equal(waveform, AS_16_BIT[:8_000])
    (message,) = caplog.messages
    assert "night.wav: 1.5 s of 2.0 s cannot be read" in message


def test_joined_wavs_are_read_one_after_the_other(tmp_path: Path) -> None:
    joined = wav(SONG) + wav(SONG[:8_000], behind=chunk(b"LIST", b"INFO")) + wav(SONG, size=0)
    waveform = read(tmp_path, joined)
    assert np.array_equal(waveform, np.concatenate([AS_16_BIT, AS_16_BIT[:8_000], AS_16_BIT]))


@pytest.mark.parametrize("behind", [b"", chunk(b"LIST", b"INFO" + bytes(8))])
def test_twelve_hours_in_one_wav_are_found(tmp_path: Path, behind: bytes) -> None:
    """4 GiB and 1 000 samples: the size in 32 bits is 2 000, the sound begins at byte 44."""
    length = (1 << 32) + 2_000
    path = tmp_path / "night.wav"
    with path.open("wb") as stream:
        stream.write(wav(SONG[:10], size=length & 0xFFFF_FFFF))
        stream.truncate(44 + length)  # sparse: it uses no space on the disk
        stream.seek(0, io.SEEK_END)
        stream.write(behind)
    with path.open("rb") as stream:
        (part,) = find_parts(stream, path.stat().st_size)
    assert part.pieces == (range(44, 44 + length),)


def zeroed(data: bytes, place: int, count: int) -> bytes:
    return data[:place] + bytes(count) + data[place + count :]


def test_an_rf64_that_was_never_closed_is_read(tmp_path: Path) -> None:
    data = encoded(SONG, "RF64", "PCM_16")
    if data[:4] == b"RIFF":  # libsndfile writes a short one as WAV, with room for the long form
        room = data.index(b"JUNK")
        data = b"RF64" + data[4:room] + b"ds64" + data[room + 4 :]
    sizes = data.index(b"ds64") + 8
    data = zeroed(data, sizes, 24)
    place = data.index(b"data") + 4
    data = data[:place] + b"\xff" * 4 + data[place + 4 :]
    assert len(read(tmp_path, data)) == 32_000


def test_a_w64_is_read_whole_cut_and_never_closed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a second less is 8 000 samples of 2 bytes."""
    whole = encoded(SONG, "W64", "PCM_16")
    size_at = whole.index(b"data") + 16
    assert len(read(tmp_path, whole, "w64")) == 32_000
    assert len(read(tmp_path, zeroed(whole, size_at, 8), "w64")) == 32_000
    assert not caplog.messages
    assert len(read(tmp_path, whole[:-16_000], "w64")) == 24_000
    assert "0.5 s of 2.0 s" in caplog.text


@pytest.mark.parametrize(
    ("form", "subtype", "endian"),
    [
        ("AIFF", "PCM_16", "FILE"),
        ("AIFF", "PCM_24", "FILE"),
        ("AIFF", "FLOAT", "FILE"),
        ("AIFF", "PCM_16", "LITTLE"),
        ("WAV", "PCM_U8", "FILE"),
        ("WAV", "PCM_24", "FILE"),
        ("WAV", "FLOAT", "FILE"),
        ("WAV", "DOUBLE", "FILE"),
        ("WAV", "ULAW", "FILE"),
        ("WAV", "PCM_16", "BIG"),
        ("WAVEX", "PCM_32", "FILE"),
    ],
)
def test_samples_of_each_kind_are_read_without_a_size(
    tmp_path: Path, form: str, subtype: str, endian: str
) -> None:
    """The same samples as from the whole file; AIFF has 8 more bytes before its samples."""
    whole = encoded(SONG, form, subtype, endian=endian)
    expected, _ = soundfile.read(io.BytesIO(whole), dtype="float32")
    name = b"SSND" if form == "AIFF" else b"data"
    broken = zeroed(whole, whole.rindex(name) + 4, 4)
    assert np.array_equal(read(tmp_path, broken), expected)


def test_a_wav_without_sound_has_none(tmp_path: Path) -> None:
    for data in (wav(SONG[:0]), wav(SONG[:0], behind=chunk(b"LIST", b"INFO")), wav(SONG)[:44]):
        with pytest.raises(InputError, match=r"0\.000 s of sound"):
            read(tmp_path, data)


@pytest.mark.parametrize("rate_hz", [1, 999, 768_001, 0xFFFF_FFFF])
def test_a_sample_rate_of_no_recorder_is_refused(tmp_path: Path, rate_hz: int) -> None:
    """At 1 Hz, a file of two seconds would have the windows of nine hours."""
    data = wav(SONG)
    data = data[:24] + struct.pack("<I", rate_hz) + data[28:]
    with pytest.raises(InputError, match="a sample rate of .*expected 1,000 to 768,000 Hz|decoded"):
        read(tmp_path, data)
