import numpy as np
import pytest
from fakes import BluePitch, factory
from sounds import sounds

from birdfield.model.audio_specs import BIRDNET, YAMNET
from birdfield.model.streaming import StreamingEmbedder
from birdfield.model.yamnet import Yamnet
from birdfield.paths import PACKAGED_YAMNET
from birdfield.signals.windows import AudioSpec
from birdfield.watch.recogniser import Recogniser
from birdfield.watch.scene import SceneWatcher
from birdfield.watch.sources import Sources

SPEC = AudioSpec("toy", rate_hz=10, patch=4, hop=2, patches_per_window=3, dim=1)
STEP = 5 * YAMNET.hop  # from one window of `watch` to the next


class Counting:
    """Embeds a patch as its sum, and counts patches."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.stream = StreamingEmbedder(SPEC, self.embed)

    def embed(self, cut: np.ndarray) -> np.ndarray:
        self.seen.append(len(cut))
        return np.asarray(cut.sum(axis=1, keepdims=True))


@pytest.mark.parametrize(
    ("start", "length", "new"),
    [(2, 8, 1), (4, 8, 2), (0, 8, 0), (6, 8, 3), (1, 8, 3), (2, 6, 0), (2, 10, 2)],
    ids=["a hop", "two hops", "the same", "past all", "half a hop", "shorter", "longer"],
)
def test_only_new_patches_are_embedded(start: int, length: int, new: int) -> None:
    """A patch has 4 samples, a hop 2; samples 0 to 7 have patches at 0, 2 and 4."""
    sound = np.random.default_rng(0).normal(size=30).astype(np.float32)
    counting = Counting()
    counting.stream.embed(sound[:8])
    found = counting.stream.embed(sound[start : start + length])
    assert sum(counting.seen) == 3 + new
    assert np.array_equal(found, Counting().stream.embed(sound[start : start + length]))


def test_a_padded_patch_differs_from_the_complete_one() -> None:
    """The third patch of 7 samples ends with a zero."""
    sound = np.arange(1, 30, dtype=np.float32)
    counting = Counting()
    counting.stream.embed(sound[:7])
    assert np.array_equal(counting.stream.embed(sound[2:10]), [[18], [26], [34]])
    assert counting.seen == [3, 3]


def test_results_are_read_only() -> None:
    found = Counting().stream.embed(np.ones(8, np.float32))
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 0


@pytest.mark.parametrize("name", sounds())
def test_consecutive_windows_embed_as_each_window_alone(name: str) -> None:
    """Windows as in `watch`: 5.3 s long, each 2.4 s. The results are equal bit by bit."""
    sound = sounds()[name]
    streaming = Yamnet(PACKAGED_YAMNET)
    for start in range(0, 3 * STEP, STEP):
        window = sound[start : start + YAMNET.window]
        heard, alone = (
            streaming.extract_features(window),
            Yamnet(PACKAGED_YAMNET).extract_features(window),
        )
        assert np.array_equal(heard.embeddings, alone.embeddings)
        assert np.array_equal(heard.class_scores, alone.class_scores)


class WithBirdnet(BluePitch):
    """An encoder with windows of 6 s and hops of 1.5 s, at 48 kHz."""

    audio_spec = BIRDNET


def test_windows_of_a_watch_are_whole_hops_apart() -> None:
    """Two of BirdNET's hops, 3 s, are nearer to 2.4 s than one."""
    microphone = Windows()
    recogniser = Recogniser(WithBirdnet(), factory(), "a1b2")
    watch = SceneWatcher(recogniser, Sources(None, microphone), fast=True)
    assert list(watch.observations()) == []
    assert microphone.starts_s == [0, 3, 6, 9]


class Windows:
    """A silent sound file of 15 s that records the starts of the windows read from it."""

    name, live, end_s, loss = "silence", False, 15.0, None
    overruns = defects = 0

    def __init__(self) -> None:
        self.starts_s: list[float] = []

    @property
    def ended(self) -> bool:
        return bool(self.starts_s) and self.starts_s[-1] + BIRDNET.window_s >= self.end_s

    def window(self, start_s: float, end_s: float) -> np.ndarray:
        self.starts_s.append(start_s)
        return np.zeros(round((end_s - start_s) * BIRDNET.rate_hz), np.float32)

    def close(self) -> None:
        """Nothing is open."""
