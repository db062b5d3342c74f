"""Sound meter: levels and spectra of files and live microphones."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from birdfield.capture.audio_file import AudioFile
from birdfield.view.sound_meter import (
    BANDS,
    COLUMNS,
    FLOOR_DB,
    HIGH_HZ,
    LOW_HZ,
    MeteredMicrophone,
    level_of,
    spectrum_columns,
)

RATE_HZ = 16_000


def sine(hz: float, length_s: float, amplitude: float = 0.5) -> np.ndarray:
    times_s = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    return (amplitude * np.sin(2 * np.pi * hz * times_s)).astype(np.float32)


def test_a_level_is_relative_to_full_scale() -> None:
    """A sine of amplitude 0.5 peaks at 20 lg 0.5 = -6.02 dB; its mean is 3.01 dB lower."""
    level = level_of(sine(1000, 1))
    assert level.peak_db == pytest.approx(-6.02, abs=0.01)
    assert level.rms_db == pytest.approx(-9.03, abs=0.01)
    assert level_of(np.zeros(100, np.float32)).rms_db == FLOOR_DB


@pytest.mark.parametrize("hz", [800, 2200, 5000, 7900])
def test_a_tone_is_in_its_band(hz: float) -> None:
    """Each band is (8000 - 500) / 12 = 625 Hz wide; the first starts at 500 Hz."""
    columns = spectrum_columns(sine(hz, 1.05, 0.01), RATE_HZ)
    assert columns.shape == (10, BANDS)
    band = int((hz - LOW_HZ) / ((HIGH_HZ - LOW_HZ) / BANDS))
    assert (columns.argmax(axis=1) == band).all()
    assert not spectrum_columns(np.zeros(RATE_HZ, np.float32), RATE_HZ).any()


def test_overlapping_windows_are_measured_once(tmp_path: Path) -> None:
    """A tone from 3 s on, in windows of 0 to 5.3 s, 2.4 to 7.7 s and 4.8 s to the end at 8 s."""
    path = tmp_path / "tone.wav"
    soundfile.write(path, np.concatenate([np.zeros(3 * RATE_HZ), sine(3000, 5)]), RATE_HZ)
    microphone = MeteredMicrophone(AudioFile(path, RATE_HZ), RATE_HZ)
    for start_s in (0.0, 2.4, 4.8):
        assert microphone.window(start_s, start_s + 5.3) is not None
        microphone.poll()  # has no effect on a file
    _, spectrum = microphone.measured()
    loud = spectrum.max(axis=1) > 0.5
    assert spectrum.shape == (COLUMNS, BANDS) and abs(loud.sum() - 50) <= 1
    assert loud[-50:].all(), "the tone has no gap"
    assert microphone.ended and microphone.end_s == pytest.approx(8)
    microphone.close()


class LiveTone:
    """A live microphone in which a tone sounds all the time."""

    name, live, ended, end_s = "tone", True, False, float("inf")
    loss, overruns, defects = None, 0, 0

    def __init__(self) -> None:
        self.dead = False

    def window(self, start_s: float, end_s: float) -> np.ndarray | None:
        return None if self.dead else sine(1000, end_s - start_s)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


def test_polling_measures_a_live_microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    tone = LiveTone()
    microphone = MeteredMicrophone(tone, RATE_HZ)
    for _ in range(5):
        microphone.poll()
        now_s[0] += 0.25
    level, spectrum = microphone.measured()
    assert level.peak_db == pytest.approx(-6.02, abs=0.1)
    assert 29 <= (spectrum.max(axis=1) > 0.5).sum() <= 30, (
        "2 s by the first poll, 0.25 s by each of 4 more"
    )
    tone.dead = True
    microphone.poll()
    assert microphone.measured()[0].rms_db == FLOOR_DB
