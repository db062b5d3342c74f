"""Weak labels: the windows of a recording that hold a bird."""

import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fakes import HZ_PER_DEGREE, BluePitch, at, make_bundle, picture

from birdfield.errors import InputError
from birdfield.model.audio_specs import YAMNET
from birdfield.model.frontend import SoundFeatures
from birdfield.model.species import Species
from birdfield.model.store_file import load_store
from birdfield.model.yamnet import CLASSES
from birdfield.recognise.embed import EmbeddedSample
from birdfield.recognise.enrol import enrol
from birdfield.recognise.reason import Figure, Measure
from birdfield.recognise.weak_labels import bird_vectors

BIRD = EmbeddedSample(None, at(90), bird=Figure(Measure.BIRD_CLASS, 0.9, 0.2))
WIND = EmbeddedSample(None, at(0), bird=Figure(Measure.BIRD_CLASS, 0.1, 0.2))


@pytest.mark.parametrize(
    ("samples", "used", "words"),
    [
        ([WIND, BIRD, WIND, WIND], [90], "only 1 of its 4 windows hold a bird"),
        ([WIND, BIRD], [90], None),  # half of them
        ([BIRD, BIRD], [90, 90], None),
        ([WIND, WIND], [0, 0], "no bird is detected in it"),
        ([EmbeddedSample(at(30), None)], [30], None),  # a photograph
    ],
)
def test_the_windows_with_a_bird_are_used(
    samples: list[EmbeddedSample],
    used: list[int],
    words: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    vectors = bird_vectors(samples, "garden.wav")
    assert np.allclose(vectors, [at(angle) for angle in used])
    assert (words is None and not caplog.messages) or (words and words in caplog.text)


def test_without_a_window_nothing_can_be_used() -> None:
    with pytest.raises(InputError, match="garden.wav: no window to use"):
        bird_vectors([], "garden.wav")


class HighBirds(BluePitch):
    """An encoder whose class scores hold a bird in tones above 4 kHz, at 80 degrees."""

    def extract_features(self, waveform: np.ndarray) -> SoundFeatures:
        features = super().extract_features(waveform)
        scores = np.zeros((1, CLASSES), np.float32)
        scores[0, 106] = float(features.embeddings[0, 0] > 80 * HZ_PER_DEGREE)
        return SoundFeatures(features.embeddings, lambda: scores)


def test_wind_around_a_song_is_not_enrolled(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of 57.6 s, 4.8 to 10.095 s is a song at 90 degrees, the rest a hum at 20.

    Windows start each 4.8 s: the second holds the song alone. The first and the third hold little
    of it, so that the hum is their dominant tone.
    """
    seconds = np.arange(round(57.6 * YAMNET.rate_hz)) / YAMNET.rate_hz
    song = (seconds >= 4.8) & (seconds < 10.095)
    hz = np.where(song, 90, 20) * HZ_PER_DEGREE
    soundfile.write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * hz * seconds), YAMNET.rate_hz)
    bundle = make_bundle(tmp_path / "toy.birdfield")
    files = [tmp_path / "a.wav", picture(tmp_path / "a.png", 40)]
    caplog.set_level(logging.WARNING)
    enrol(bundle, HighBirds(), Species("Reed Warbler"), files)
    vectors = load_store(bundle).enrolled["Reed Warbler"].vectors
    assert np.allclose(vectors, [at(90), at(40)], atol=0.02)
    assert "a.wav: only 1 of its 12 windows hold a bird, and are used" in caplog.text
