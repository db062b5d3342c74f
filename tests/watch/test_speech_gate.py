from datetime import UTC, datetime

import numpy as np
from fakes import bird_classes

from birdfield.model.audio_specs import YAMNET
from birdfield.model.frontend import Heard
from birdfield.model.yamnet import Yamnet
from birdfield.paths import PACKAGED_YAMNET
from birdfield.recognise.embed import EmbeddedSample
from birdfield.watch.scene import DECISION_S
from birdfield.watch.speech_gate import SPEECH, SpeechGate, speech_score
from birdfield.watch.window import Window

WINDOW_S = YAMNET.window_s
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def voice_classes() -> np.ndarray:
    scores = bird_classes()
    scores[0, 0] = 0.9
    return scores


def window(number: int, spoken: bool = False) -> Window:
    start_s = number * DECISION_S
    heard = Heard(np.zeros((1, YAMNET.dim), np.float32), voice_classes if spoken else bird_classes)
    return Window(NOON, start_s, start_s + WINDOW_S, heard=EmbeddedSample(None, None, heard=heard))


def kept(spoken: set[int], count: int = 20, open_to_all: bool = False) -> list[int]:
    """Return the windows whose sound may be kept, by number."""
    gate = SpeechGate(open_to_all)
    passed = [
        each for number in range(count) for each in gate.push(window(number, number in spoken))
    ]
    passed += gate.flush()
    assert [each.start_s for each, _ in passed] == [number * DECISION_S for number in range(count)]
    assert gate.withheld == sum(not may_keep for _, may_keep in passed)
    return [round(each.start_s / DECISION_S) for each, may_keep in passed if may_keep]


def test_a_window_with_speech_takes_its_neighbours_with_it() -> None:
    """Speech in window 10, [24, 29.3): nothing that overlaps [21.6, 31.7) is kept.

    Window 6 ends at 19.7 s, 7 at 22.1 s; window 13 begins at 31.2 s, 14 at 33.6 s.
    """
    assert kept({10}) == [*range(7), *range(14, 20)]


def test_without_speech_everything_is_kept() -> None:
    assert kept(set()) == list(range(20))


def test_speech_at_the_ends_of_a_scene() -> None:
    assert kept({0, 19}) == list(range(4, 16))


def test_whoever_wants_voices_gets_them_and_waits_for_nothing() -> None:
    assert kept({3, 10}, open_to_all=True) == list(range(20))
    gate = SpeechGate(open_to_all=True)
    assert [each.start_s for each, _ in gate.push(window(0))] == [0]


def test_a_window_is_held_until_its_neighbours_were_heard() -> None:
    """Window 0 ends at 5.3 s; window 4 begins at 9.6 s, more than 2.4 s later; 3 at 7.2 s."""
    gate = SpeechGate()
    assert [len(list(gate.push(window(number)))) for number in range(5)] == [0, 0, 0, 0, 1]


def test_without_sound_nobody_speaks() -> None:
    assert speech_score(Window(NOON, 0, 5.3)) == 0


def formants(seconds: float) -> np.ndarray:
    """Speak like a person: pulses of a throat through the resonances of changing vowels."""
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


def test_yamnet_hears_a_voice_and_takes_no_song_for_one() -> None:
    yamnet = Yamnet(PACKAGED_YAMNET)
    seconds = np.arange(YAMNET.window) / YAMNET.rate_hz
    song = 0.3 * np.sin(2 * np.pi * (4000 * seconds + 60 * np.sin(2 * np.pi * 8 * seconds)))

    def score(waveform: np.ndarray) -> float:
        heard = yamnet.hear(waveform.astype(np.float32))
        return speech_score(
            Window(NOON, 0, WINDOW_S, heard=EmbeddedSample(None, None, heard=heard))
        )

    assert score(formants(WINDOW_S)) > SPEECH
    assert score(song) < SPEECH
