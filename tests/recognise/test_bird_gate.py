from pathlib import Path

import numpy as np
import pytest
from fakes import BluePitch, at, factory, tone

from birdfield.model.audio_specs import YAMNET
from birdfield.model.frontend import SoundFeatures
from birdfield.model.yamnet import CLASSES
from birdfield.recognise.bird_gate import (
    BIRD_CLASSES,
    LOUD_VOICE_SCORE,
    MIN_BIRD_SCORE,
    MIN_BIRD_SCORE_BESIDE_VOICE,
    VOICE_CLASSES,
    BirdGate,
    is_background,
)
from birdfield.recognise.decide import Signal, decide
from birdfield.recognise.embed import EmbeddedSample, embed_file, embed_window, pool_samples
from birdfield.recognise.identify import identify_file
from birdfield.recognise.reason import Figure, Measure

NO_BIRD = Figure(Measure.BIRD_CLASS, 0.1, MIN_BIRD_SCORE)
BACKGROUND = Signal(bird=NO_BIRD)


def scores(bird: float, voice: float = 0.0) -> np.ndarray:
    """Return scores of two patches: a bird in one, a voice in the other."""
    classes = np.zeros((2, CLASSES), np.float32)
    classes[0, BIRD_CLASSES[-1]], classes[1, VOICE_CLASSES[-1]] = bird, voice
    return classes


@pytest.mark.parametrize(
    ("bird", "voice", "background"),
    [
        (MIN_BIRD_SCORE - 0.01, 0, True),
        (MIN_BIRD_SCORE + 0.01, 0, False),
        (MIN_BIRD_SCORE + 0.01, LOUD_VOICE_SCORE - 0.01, False),
        (MIN_BIRD_SCORE + 0.01, LOUD_VOICE_SCORE + 0.01, True),
        (MIN_BIRD_SCORE_BESIDE_VOICE + 0.01, 1, False),
    ],
)
def test_a_bird_must_score_higher_beside_a_loud_voice(
    bird: float, voice: float, background: bool
) -> None:
    assert is_background(scores(bird, voice)) == background


def test_the_classes_are_disjoint_and_within_the_scores() -> None:
    assert not {*BIRD_CLASSES} & {*VOICE_CLASSES} and max(*BIRD_CLASSES, *VOICE_CLASSES) < CLASSES


def test_background_sound_is_unknown_unless_there_is_a_picture() -> None:
    assert decide(BluePitch(), factory(), None, at(0), BACKGROUND).unknown
    assert decide(BluePitch(), factory(), None, at(0)).species == "Jay"
    assert decide(BluePitch(), factory(), at(0), at(0), BACKGROUND).species == "Jay"


class NoBirds(BluePitch):
    """An encoder whose class scores never contain a bird."""

    def extract_features(self, waveform: np.ndarray) -> SoundFeatures:
        return SoundFeatures(super().extract_features(waveform).embeddings, lambda: scores(0))


def test_a_recording_without_a_bird_is_unknown(tmp_path: Path) -> None:
    song = tone(tmp_path / "song.wav", 60)
    assert [part.background for part in embed_file(NoBirds(), song)] == [True]
    for pooled in (False, True):
        [answer] = identify_file(NoBirds(), factory(), song, pooled)
        assert answer.decision.unknown and answer.decision.top[0][0] == "Robin"
        [answer] = identify_file(BluePitch(), factory(), song, pooled)
        assert answer.decision.species == "Robin"


def test_a_pooled_sample_is_background_when_all_samples_are() -> None:
    mute, song = (
        EmbeddedSample(None, at(0), 0, 5, bird=NO_BIRD),
        EmbeddedSample(None, at(0), 5, 10),
    )
    assert pool_samples([mute, mute]).background and not pool_samples([mute, song]).background


@pytest.mark.parametrize(
    ("gate", "background", "embedded", "scored"),
    [
        (BirdGate.OFF, False, True, False),
        (BirdGate.MARK, True, True, True),
        (BirdGate.DROP, True, False, True),
    ],
)
def test_the_gate_decides_what_happens_to_a_window_without_a_bird(
    gate: BirdGate, background: bool, embedded: bool, scored: bool
) -> None:
    waveform = np.sin(np.arange(YAMNET.window)).astype(np.float32)
    sample = embed_window(NoBirds(), waveform, 0.0, YAMNET.window_s, gate)
    assert (sample.background, sample.audio is not None) == (background, embedded)
    assert sample.features is not None
    assert ("class_scores" in vars(sample.features)) == scored
