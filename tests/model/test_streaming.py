from pathlib import Path

import numpy as np
import pytest
from fakes import BluePitch, factory

from birdfield.errors import InputError
from birdfield.model.audio_specs import BIRDNET, EMBEDDING, YAMNET
from birdfield.model.encoder import unit
from birdfield.model.log_mel import MEL, LogMelYamnet, log_mel
from birdfield.model.streaming import StreamingEmbedder
from birdfield.model.tflite import interpreter_class
from birdfield.model.yamnet import WaveformYamnet, Yamnet
from birdfield.paths import PACKAGED_YAMNET, PACKAGED_YAMNET_INT8
from birdfield.signals.windows import AudioSpec, cut_patches
from birdfield.watch.recogniser import Recogniser
from birdfield.watch.scene import SceneWatcher
from birdfield.watch.sources import Sources
from birdfield_train.toy_aviary import sing

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


def sounds() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "song": np.concatenate([sing(place, rng, 4.0) for place in range(4)]),
        "noise": rng.normal(0, 0.1, 240_000).astype(np.float32),
        "silence": np.zeros(240_000, np.float32),
        "quiet beside loud": (
            0.9 * np.sin(np.arange(240_000)) * (np.arange(240_000) > 120_000)
            + rng.normal(0, 1e-4, 240_000)
        ).astype(np.float32),
    }


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


@pytest.mark.parametrize("name", sounds())
def test_the_8_bit_form_embeds_as_the_float_file(name: str) -> None:
    """The cosine of patches is to be 0.99 on average and at least 0.97."""
    cut = cut_patches(sounds()[name][: YAMNET.window], YAMNET)
    found, expected = (
        model.embed(cut) for model in (LogMelYamnet(1), WaveformYamnet(PACKAGED_YAMNET, 1))
    )
    for part in (slice(EMBEDDING), slice(EMBEDDING, YAMNET.dim)):
        cosines = (unit(found[:, part]) * unit(expected[:, part])).sum(axis=1)
        assert cosines.mean() >= 0.99 and cosines.min() >= 0.97
    assert np.abs(found[:, YAMNET.dim :] - expected[:, YAMNET.dim :]).max() < 0.15


def test_the_log_mel_frames_of_a_hop_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """10 patches have 96 + 9 * 48 = 528 frames; five hops later, 5 * 48 = 240 are new."""
    made: list[int] = []

    def counted(waveform: np.ndarray) -> np.ndarray:
        made.append(1 + (len(waveform) - 400) // 160)
        return log_mel(waveform)

    monkeypatch.setattr("birdfield.model.log_mel.log_mel", counted)
    yamnet, sound = Yamnet(PACKAGED_YAMNET), sounds()["noise"]
    yamnet.extract_features(sound[: YAMNET.window])
    assert sum(made) == 528
    yamnet.extract_features(sound[STEP : STEP + YAMNET.window])
    assert sum(made) == 528 + 240


def test_a_tone_is_loud_only_in_its_own_band() -> None:
    """1 kHz is 1,000 mel of HTK's scale; 64 bands share 185..2,774 mel (125..7,500 Hz) evenly:
    their centres are (2,774 - 185) / 65 = 39.8 mel apart, and (1,000 - 185) / 39.8 - 1 = 19.5.
    """
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    frames = log_mel(tone)
    assert frames.shape == (98, 64) and set(frames.argmax(axis=1)) <= {19, 20}
    assert (frames[:, 30:] < np.log(0.1)).all()


def test_the_mel_bands_are_those_of_the_packaged_float_file() -> None:
    """The file contains them as a matrix [64, 257]."""
    interpreter = interpreter_class()(model_path=str(PACKAGED_YAMNET))
    held = [
        interpreter.get_tensor(detail["index"])
        for detail in interpreter.get_tensor_details()
        if tuple(detail["shape"]) == (64, 257)
    ]
    assert any(np.allclose(values.T, MEL, atol=1e-5) for values in held)


def test_another_yamnet_runs_without_the_8_bit_form(tmp_path: Path) -> None:
    """One more byte makes it another file with the same model."""
    other = tmp_path / "yamnet.tflite"
    other.write_bytes(PACKAGED_YAMNET.read_bytes() + b"\0")
    sound = sounds()["song"][: YAMNET.patch]
    expected = WaveformYamnet(PACKAGED_YAMNET, 1).embed(sound[None])
    assert np.array_equal(Yamnet(other).embed(sound), expected[:, : YAMNET.dim])


def test_a_changed_8_bit_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tmp_path / "yamnet_int8.tflite"
    changed.write_bytes(PACKAGED_YAMNET_INT8.read_bytes()[:-1] + b"!")
    monkeypatch.setattr("birdfield.model.log_mel.PACKAGED_YAMNET_INT8", changed)
    with pytest.raises(InputError, match="SHA-256 is .*; install birdfield again"):
        Yamnet(PACKAGED_YAMNET)


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

    name, live, end_s, loss, overruns = "silence", False, 15.0, None, 0

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
