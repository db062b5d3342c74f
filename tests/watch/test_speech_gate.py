"""Speech gate: no sound of speech, nor of its neighbours, passes."""

from datetime import UTC, datetime

import numpy as np
from fakes import bird_classes

from birdfield.model.audio_specs import YAMNET
from birdfield.model.frontend import SoundFeatures
from birdfield.model.yamnet import Yamnet
from birdfield.paths import PACKAGED_YAMNET
from birdfield.recognise.embed import EmbeddedSample
from birdfield.watch.speech_gate import SPEECH_THRESHOLD, SpeechGate, speech_score
from birdfield.watch.window import WINDOW_STEP_S, Window

WINDOW_S = YAMNET.window_s
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def voice_classes() -> np.ndarray:
    scores = bird_classes()
    scores[0, 0] = 0.9
    return scores


def window(number: int, spoken: bool = False) -> Window:
    start_s = number * WINDOW_STEP_S
    scores = voice_classes if spoken else bird_classes
    heard = SoundFeatures(np.zeros((1, YAMNET.dim), np.float32), scores)
    return Window(
        NOON, start_s, start_s + WINDOW_S, heard=EmbeddedSample(None, None, features=heard)
    )


def kept_windows(spoken: set[int], count: int = 20, keep_voices: bool = False) -> list[int]:
    """Return the numbers of the windows whose sound may be kept."""
    gate = SpeechGate(keep_voices)
    passed = [
        each for number in range(count) for each in gate.push(window(number, number in spoken))
    ]
    passed += gate.flush()
    assert [each.start_s for each, _ in passed] == [
        number * WINDOW_STEP_S for number in range(count)
    ]
    assert gate.withheld == sum(not keep_sound for _, keep_sound in passed)
    return [round(each.start_s / WINDOW_STEP_S) for each, keep_sound in passed if keep_sound]


def test_speech_withholds_the_neighbouring_windows() -> None:
    """Speech in window 10, [24, 29.3), withholds all windows that overlap [21.6, 31.7).

    Window 6 ends at 19.7 s, 7 at 22.1 s; window 13 begins at 31.2 s, 14 at 33.6 s.
    """
    assert kept_windows({10}) == [*range(7), *range(14, 20)]


def test_without_speech_all_sound_is_kept() -> None:
    assert kept_windows(set()) == list(range(20))


def test_speech_in_the_first_and_last_window() -> None:
    assert kept_windows({0, 19}) == list(range(4, 16))


def test_with_keep_voices_all_sound_passes_at_once() -> None:
    assert kept_windows({3, 10}, keep_voices=True) == list(range(20))
    gate = SpeechGate(keep_voices=True)
    assert [each.start_s for each, _ in gate.push(window(0))] == [0]


def test_a_window_waits_for_its_neighbours() -> None:
    """Window 0 ends at 5.3 s; windows 3 and 4 begin at 7.2 and 9.6 s, 1.9 and 4.3 s later."""
    gate = SpeechGate()
    assert [len(list(gate.push(window(number)))) for number in range(5)] == [0, 0, 0, 0, 1]


def test_a_window_without_sound_has_no_speech() -> None:
    assert speech_score(Window(NOON, 0, 5.3)) == 0


def synthetic_speech(seconds: float) -> np.ndarray:
    """Return synthetic speech: glottal pulses through the resonances of changing vowels."""
    rate_hz, rng = YAMNET.rate_hz, np.random.default_rng(3)
    sound: list[np.ndarray] = []
    vowels = ((730, 1090, 2440), (270, 2290, 3010), (570, 840, 2410), (530, 1840, 2480))
    while sum(len(part) for part in sound) < seconds * rate_hz:
        length = int(rng.uniform(0.12, 0.25) * rate_hz)
        pitch_hz = 120 * 2 ** (np.cumsum(rng.normal(0, 0.002, length)) + rng.normal(0, 0.1))
        pulses = np.diff(np.floor(np.cumsum(pitch_hz) / rate_hz), prepend=0)
        spectrum = np.fft.rfft(pulses + rng.normal(0, 0.01, length))
        hz = np.fft.rfftfreq(length, 1 / rate_hz)
        gain = sum(
            1 / (1 + ((hz - formant) / 80) ** 2) / (1 + number)
            for number, formant in enumerate(vowels[rng.integers(4)])
        )
        syllable = np.fft.irfft(spectrum * gain, length) * np.hanning(length)
        sound += [syllable / np.abs(syllable).max(), np.zeros(int(rng.uniform(0, 0.06) * rate_hz))]
    return (0.3 * np.concatenate(sound)[: int(seconds * rate_hz)]).astype(np.float32)


def test_yamnet_scores_speech_above_and_song_below_the_threshold() -> None:
    yamnet = Yamnet(PACKAGED_YAMNET)
    seconds = np.arange(YAMNET.window) / YAMNET.rate_hz
    song = 0.3 * np.sin(2 * np.pi * (4000 * seconds + 60 * np.sin(2 * np.pi * 8 * seconds)))

    def score(waveform: np.ndarray) -> float:
        heard = yamnet.extract_features(waveform.astype(np.float32))
        return speech_score(
            Window(NOON, 0, WINDOW_S, heard=EmbeddedSample(None, None, features=heard))
        )

    assert score(synthetic_speech(WINDOW_S)) > SPEECH_THRESHOLD
    assert score(song) < SPEECH_THRESHOLD
