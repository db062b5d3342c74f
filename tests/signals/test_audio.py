import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile
from devices import dominant_hz

from birdfield.errors import InputError
from birdfield.model.audio_specs import BIRDNET, SPECS, YAMNET
from birdfield.signals.audio import Resampler, read_audio, read_beginning, read_blocks, to_mono
from birdfield.signals.windows import (
    AudioSpec,
    cut_patches,
    cut_windows,
    repeat_patches,
    window_starts,
)

RATE_HZ = 16_000
LENGTHS = [
    (spec, length)
    for spec in SPECS.values()
    for length in (
        1,
        spec.patch,
        spec.window - 1,
        spec.window,
        spec.window + 1,
        spec.window + spec.hop,
        spec.window + spec.stride - 1,
        spec.window + spec.stride,
        spec.window + spec.stride + 1,
        3 * spec.window + 17,
    )
]


def tone(rate_hz: int, length_s: float, hz: float = 3000) -> np.ndarray:
    seconds = np.arange(round(length_s * rate_hz)) / rate_hz
    return np.asarray(0.5 * np.sin(2 * np.pi * hz * seconds), np.float32)


def test_yamnets_window_is_ten_patches_half_a_second_apart() -> None:
    """10 patches of 15 600 samples, 7 680 apart: 15 600 + 9 x 7 680 = 84 720, 5.295 s."""
    assert (YAMNET.window, YAMNET.stride, YAMNET.window_s) == (84_720, 76_800, 5.295)


def test_birdnets_window_is_three_patches_one_and_a_half_seconds_apart() -> None:
    """3 patches of 144 000 samples, 72 000 apart: 144 000 + 2 x 72 000 = 288 000, 6 s."""
    assert (BIRDNET.window, BIRDNET.stride, BIRDNET.window_s) == (288_000, 216_000, 6.0)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_window_has_as_many_patches_as_the_tower_reads(spec: AudioSpec) -> None:
    assert len(cut_patches(np.zeros(spec.window, np.float32), spec)) == spec.patches_per_window


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
    elif kind in ("nan", "infinite"):
        samples = tone(RATE_HZ, 1.0)
        samples[77] = np.nan if kind == "nan" else np.inf
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
        ("nan", "holds samples that are not finite numbers"),
        ("infinite", "holds samples that are not finite numbers"),
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


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_a_damaged_recording_is_read_or_raises_one_error(tmp_path: Path, ending: str) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / f"song.{ending}"
    soundfile.write(path, tone(RATE_HZ, 1), RATE_HZ)
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


@pytest.mark.parametrize(("spec", "length"), LENGTHS)
@pytest.mark.parametrize("size", [997, 60_000, 10**7])
def test_windows_cover_a_recording_whatever_its_blocks(
    spec: AudioSpec, length: int, size: int
) -> None:
    """The last window ends with the recording; the others are full and adjacent.

    Without padding, up to half a hop may follow the last window.
    """
    waveform = np.arange(length, dtype=np.float32)
    cut = list(
        cut_windows((waveform[start : start + size] for start in range(0, length, size)), spec)
    )
    starts = [start for start, _ in cut]
    assert all(np.array_equal(part, waveform[start : start + spec.window]) for start, part in cut)
    assert all(len(part) == spec.window for _, part in cut[:-1])
    assert starts[:-1] == list(range(0, spec.stride * (len(cut) - 1), spec.stride))
    left = length - starts[-1] - len(cut[-1][1])
    assert 0 <= left < (1 if spec.padded else spec.hop / 2) and starts[-1] % spec.hop == 0
    assert len(cut) == 1 or spec.window - spec.hop < len(cut[-1][1]) <= spec.window


def test_a_recording_without_samples_has_no_window() -> None:
    assert not list(cut_windows([], YAMNET))
    assert not list(cut_windows([np.zeros(0, np.float32)], YAMNET))


@pytest.mark.parametrize(("spec", "length"), LENGTHS)
def test_windows_of_samples_and_of_patches_start_together(spec: AudioSpec, length: int) -> None:
    """Training cuts the patches of a recording, and `watch` its samples."""
    waveform = np.zeros(length, np.float32)
    starts = [start // spec.hop for start, _ in cut_windows([waveform], spec)]
    assert window_starts(len(cut_patches(waveform, spec)), spec.patches_per_window) == starts


@pytest.mark.parametrize(
    ("length", "count"), [(1, 1), (15_600, 1), (15_601, 2), (23_280, 2), (23_281, 3)]
)
def test_patches_are_a_hop_apart_and_the_last_is_padded(length: int, count: int) -> None:
    """1 + ceil((N - 15 600) / 7 680)."""
    waveform = np.arange(1, length + 1, dtype=np.float32)
    cut = cut_patches(waveform, YAMNET)
    assert cut.shape == (count, 15_600)
    last = waveform[(count - 1) * 7680 :][:15_600]
    assert np.array_equal(cut[-1][: len(last)], last) and not cut[-1][len(last) :].any()


@pytest.mark.parametrize(
    ("length", "starts"),
    [
        (1, [0]),
        (179_999, [0]),
        (180_000, [0, 36_000]),
        (216_000, [0, 72_000]),
        (251_999, [0, 72_000]),
        (252_000, [0, 72_000, 108_000]),
    ],
)
def test_patches_of_birdnet_are_never_padded(length: int, starts: list[int]) -> None:
    """144 000 samples, 72 000 apart; the last ends with the sound if 36 000 or more are new."""
    waveform = np.arange(length, dtype=np.float32)
    cut = cut_patches(waveform, BIRDNET)
    assert cut[:, 0].tolist() == starts
    assert all(
        np.array_equal(patch[: length - start], waveform[start : start + 144_000])
        for patch, start in zip(cut, starts, strict=True)
    )


def test_a_short_sequence_is_repeated_from_its_beginning() -> None:
    """Of 3 patches, 10 are 0 1 2 0 1 2 0 1 2 0."""
    frames = np.arange(3, dtype=np.float32)[:, None]
    assert repeat_patches(frames, 10).ravel().tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    assert np.array_equal(repeat_patches(frames, 3), frames)


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
