from pathlib import Path

import numpy as np
import pytest
import soundfile
from sound_files import RATE_HZ, mp3_without_length, song, wav
from sound_servers import TONE_HZ
from spectra import dominant_hz

from birdfield.capture.audio_file import AudioFile
from birdfield.errors import InputError
from birdfield.model.audio_specs import YAMNET


def write_ramp(path: Path, length_s: float) -> np.ndarray:
    """Write a ramp at 16 kHz, whose samples identify their position."""
    ramp = np.linspace(-0.9, 0.9, round(length_s * 16_000), dtype=np.float32)
    soundfile.write(path, ramp, 16_000, subtype="FLOAT")
    return ramp


def test_a_file_has_overlapping_windows_and_a_shorter_last_one(tmp_path: Path) -> None:
    """23 s: the window at 19.2 s has 3.8 s of sound, the one at 21.6 s 1.4 s."""
    ramp = write_ramp(tmp_path / "été.wav", 23.0)
    sound = AudioFile(tmp_path / "été.wav", 16_000)
    for index in range(10):
        start_s = index * 2.4
        assert not sound.ended
        waveform = sound.window(start_s, start_s + YAMNET.window_s)
        first = round(start_s * 16_000)
        assert waveform is not None and waveform.dtype == np.float32
        assert np.array_equal(waveform, ramp[first : first + YAMNET.window])
        if start_s + YAMNET.window_s > 23:
            break
    assert sound.ended and sound.end_s == 23.0
    last = sound.window(21.6, 21.6 + YAMNET.window_s)
    assert last is not None and len(last) == 22_400
    assert sound.window(22.2, 22.2 + YAMNET.window_s) is None, "0.8 s is no window"


@pytest.mark.parametrize("length_s", [YAMNET.window_s, 10.0])
def test_a_file_that_ends_with_its_window_has_ended(tmp_path: Path, length_s: float) -> None:
    write_ramp(tmp_path / "a.wav", length_s)
    sound = AudioFile(tmp_path / "a.wav", 16_000)
    assert sound.window(length_s - YAMNET.window_s, length_s) is not None
    assert sound.ended


def test_a_file_of_any_rate_is_resampled(tmp_path: Path) -> None:
    seconds = np.arange(44_100 * 6) / 44_100
    left = 0.5 * np.sin(2 * np.pi * TONE_HZ * seconds)
    soundfile.write(tmp_path / "a.flac", np.stack([left, np.zeros_like(left)], 1), 44_100)
    sound = AudioFile(tmp_path / "a.flac", 16_000)
    waveform = sound.window(0.0, YAMNET.window_s)
    assert waveform is not None and len(waveform) == YAMNET.window
    assert dominant_hz(waveform) == pytest.approx(TONE_HZ, abs=1)
    assert np.abs(waveform).max() == pytest.approx(0.25, abs=0.01), "the mean of both channels"


def test_a_long_file_is_never_whole_in_memory(tmp_path: Path) -> None:
    write_ramp(tmp_path / "a.wav", 60.0)
    sound = AudioFile(tmp_path / "a.wav", 16_000)
    for index in range(20):
        sound.window(index * 2.4, index * 2.4 + YAMNET.window_s)
        assert len(sound._kept) <= 16 * 16_000
    sound.close()
    assert sound.ended


def test_a_file_is_read_to_the_end_of_its_data(tmp_path: Path) -> None:
    """10 s, in a WAV whose recorder never wrote a size, and in an MP3 that states no length."""
    sound = np.concatenate([song(5.0), np.zeros(4 * RATE_HZ, np.float32), song(1.0)])
    for name, data in (("a.wav", wav(sound, size=0)), ("a.mp3", mp3_without_length(sound))):
        (tmp_path / name).write_bytes(data)
        file = AudioFile(tmp_path / name, RATE_HZ)
        while not file.ended:
            file.window(file.end_s, file.end_s + 1)
        assert 10.0 <= file.end_s < 10.2


def test_a_file_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0, np.float32), 16_000)
    with pytest.raises(InputError, match=r"a\.wav: holds no sound; expected a recording"):
        AudioFile(tmp_path / "a.wav", 16_000)
