import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile
from spectra import dominant_hz

from birdfield.errors import InputError
from birdfield.signals.audio import Resampler, read_audio, read_beginning, read_blocks, to_mono

RATE_HZ = 16_000


def tone(rate_hz: int, length_s: float, hz: float = 3000) -> np.ndarray:
    seconds = np.arange(round(length_s * rate_hz)) / rate_hz
    return np.asarray(0.5 * np.sin(2 * np.pi * hz * seconds), np.float32)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3", "aiff"])
@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_every_format_is_read_at_16_khz(tmp_path: Path, ending: str, rate_hz: int) -> None:
    """A tone of 3 kHz stays one, and 1.5 s stay 24 000 samples; MP3 pads to whole frames."""
    path = tmp_path / f"song.{ending}"
    soundfile.write(path, tone(rate_hz, 1.5), rate_hz)
    waveform = read_audio(path, RATE_HZ)
    assert waveform.dtype == np.float32 and waveform.ndim == 1
    assert abs(len(waveform) - 24_000) <= (2_500 if ending == "mp3" else 1)
    assert abs(dominant_hz(waveform) - 3000) < 2
    assert np.abs(waveform[2000:-4000]).max() == pytest.approx(0.5, abs=0.05)


def test_channels_are_mixed_by_their_mean() -> None:
    """(0.5 - 0.1) / 2 = 0.2."""
    mixed = to_mono(np.array([[0.5, -0.1], [1.0, 1.0]], np.float32))
    assert mixed.dtype == np.float32 and np.allclose(mixed, [0.2, 1.0])


@pytest.mark.parametrize("name", ["Käuzchen 🦉", unicodedata.normalize("NFD", "Käuzchen")])
def test_a_name_may_be_any_unicode(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.wav"
    soundfile.write(str(path), tone(RATE_HZ, 0.5), RATE_HZ)
    assert len(read_audio(path, RATE_HZ)) == 8000


def test_blocks_are_the_recording_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, tone(22_050, 25), 22_050)
    blocks = list(read_blocks(path, RATE_HZ))
    assert len(blocks) > 2 and max(map(len, blocks)) <= 11 * RATE_HZ
    assert np.array_equal(np.concatenate(blocks), read_audio(path, RATE_HZ))
    assert sum(map(len, blocks)) == 25 * RATE_HZ


def test_a_resampler_at_the_right_rate_changes_nothing() -> None:
    block = tone(RATE_HZ, 0.1)
    assert Resampler(RATE_HZ, RATE_HZ).push(block) is block


@pytest.mark.parametrize("size", [1, 7, 1000, 44_100])
def test_the_size_of_blocks_does_not_change_the_resampled_sound(size: int) -> None:
    waveform, resampler = tone(44_100, 0.2), Resampler(44_100, RATE_HZ)
    pieces = [
        resampler.push(waveform[start : start + size]) for start in range(0, len(waveform), size)
    ]
    pieces.append(resampler.push(np.zeros(0, np.float32), last=True))
    whole = Resampler(44_100, RATE_HZ).push(waveform, last=True)
    assert len(whole) == 3200
    assert np.allclose(np.concatenate(pieces), whole, atol=1e-6)


def write_broken(folder: Path, kind: str) -> Path:
    path = folder / "song.wav"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("this is no song" * 100)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "header only":
        soundfile.write(path, np.zeros(0, np.float32), RATE_HZ)
    elif kind == "short":
        soundfile.write(path, tone(RATE_HZ, 0.09), RATE_HZ)
    elif kind in ("nan", "infinite", "enormous"):
        samples = tone(RATE_HZ, 1.0)
        samples[77] = {"nan": np.nan, "infinite": np.inf, "enormous": 1e20}[kind]
        soundfile.write(path, samples, RATE_HZ, "FLOAT")
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("empty", "the file is empty; expected a recording"),
        ("text", r"not a recording that can be decoded \(.*\); expected WAV, FLAC"),
        ("a folder", "cannot be read .Is a directory."),
        ("missing", "cannot be read .No such file or directory."),
        ("header only", "0.000 s of sound; expected at least 0.1 s"),
        ("short", "0.090 s of sound; expected at least 0.1 s"),
        ("nan", "holds samples that are not finite or far beyond full scale"),
        ("infinite", "holds samples that are not finite or far beyond full scale"),
        ("enormous", "holds samples that are not finite or far beyond full scale"),
    ],
)
def test_the_error_names_an_unusable_recording(tmp_path: Path, kind: str, words: str) -> None:
    with pytest.raises(InputError, match=f"song.wav: {words}"):
        read_audio(write_broken(tmp_path, kind), RATE_HZ)


def test_the_beginning_is_at_most_the_recording(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, tone(RATE_HZ, 23), RATE_HZ)
    whole = read_audio(path, RATE_HZ)
    np.testing.assert_array_equal(
        read_beginning(path, RATE_HZ, 12.5), whole[: 12 * RATE_HZ + 8_000]
    )
    np.testing.assert_array_equal(read_beginning(path, RATE_HZ, 60.0), whole)


def test_a_recording_longer_than_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, tone(RATE_HZ, 3), RATE_HZ)
    with pytest.raises(InputError, match="longer than 2 s; cut it into shorter recordings"):
        read_audio(path, RATE_HZ, limit_s=2)


@pytest.mark.parametrize("ending", ["wav", "w64", "flac", "ogg", "opus", "mp3", "aiff"])
def test_a_damaged_recording_is_read_or_raises_one_error(tmp_path: Path, ending: str) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / f"song.{ending}"
    form = {"opus": "OGG"}.get(ending)
    soundfile.write(path, tone(RATE_HZ, 1), RATE_HZ, "OPUS" if form else None, format=form)
    whole = path.read_bytes()
    for _ in range(40):
        damaged = bytearray(whole[: rng.integers(1, len(whole) + 1)])
        for place in rng.integers(0, len(damaged), 3):
            damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            assert np.isfinite(read_audio(path, RATE_HZ)).all()
        except InputError as error:
            assert str(path) in str(error)


def test_a_header_with_too_great_a_length_adds_no_samples(tmp_path: Path) -> None:
    """An Ogg file's length is the position in its last page: here it is a second too great.

    The samples beyond the written ones come from the last packet: less than a block of Vorbis.
    """
    path = tmp_path / "robin.ogg"
    soundfile.write(path, 0.1 * np.random.default_rng(0).normal(size=16_000), 16_000)
    data = bytearray(path.read_bytes())
    page = data.rindex(b"OggS")
    data[page + 6 : page + 14] = (32_000).to_bytes(8, "little")
    data[page + 22 : page + 26] = bytes(4)
    data[page + 22 : page + 26] = ogg_checksum(bytes(data[page:])).to_bytes(4, "little")
    path.write_bytes(data)
    assert soundfile.info(path).frames == 32_000
    assert 16_000 <= len(read_audio(path, 16_000)) < 16_500


def ogg_checksum(page: bytes) -> int:
    """Return the checksum of RFC 3533, 6: polynomial 0x04c11db7, not reflected, not inverted."""
    checksum = 0
    for byte in page:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x04C11DB7 if checksum >> 31 else 0)) & 0xFFFFFFFF
    return checksum
