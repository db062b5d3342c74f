from pathlib import Path

import numpy as np
import pytest

from birdfield.audio import AudioSpec, patches
from birdfield.config import PACKAGED_YAMNET
from birdfield.frontend import YAMNET, WaveformYamnet, Yamnet
from birdfield.log_mel import LogMelYamnet, log_mel, read_yamnet
from birdfield.streaming import Stream
from birdfield_train.toy_aviary import sing

SPEC = AudioSpec("toy", rate_hz=10, patch=4, hop=2, frames=3, dim=1)
STEP = 5 * YAMNET.hop  # what `watch` moves on by
# A frame's row of a product of matrices may differ in its last bit with the number of rows, and
# the file's own Fourier transform is another one; ten layers with a Hann window later it is this.
ROUNDING = 1e-4


class Counting:
    """Embeds a patch as its sum, and counts the patches."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.stream = Stream(SPEC, self.embed)

    def embed(self, cut: np.ndarray) -> np.ndarray:
        self.seen.append(len(cut))
        return np.asarray(cut.sum(axis=1, keepdims=True))


@pytest.mark.parametrize(("start", "length", "new"), [
    (2, 8, 1), (4, 8, 2), (0, 8, 0), (6, 8, 3), (1, 8, 3), (2, 6, 0), (2, 10, 2)],
    ids=["a hop", "two hops", "the same", "past all", "half a hop", "shorter", "longer"])
def test_only_what_the_last_window_lacked_is_embedded(start: int, length: int, new: int) -> None:
    """[0, 8) has patches at 0, 2 and 4; a patch is 4 samples, a hop 2."""
    sound = np.random.default_rng(0).normal(size=30).astype(np.float32)
    counting = Counting()
    counting.stream.embed(sound[:8])
    found = counting.stream.embed(sound[start : start + length])
    assert sum(counting.seen) == 3 + new
    assert np.array_equal(found, Counting().stream.embed(sound[start : start + length]))


def test_a_patch_that_was_padded_is_not_taken_for_the_whole_one() -> None:
    """Of 7 samples the third patch ends in a zero."""
    sound = np.arange(1, 30, dtype=np.float32)
    counting = Counting()
    counting.stream.embed(sound[:7])
    assert np.array_equal(counting.stream.embed(sound[2:10]), [[18], [26], [34]])
    assert counting.seen == [3, 3]


def test_what_was_given_out_cannot_be_changed() -> None:
    found = Counting().stream.embed(np.ones(8, np.float32))
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 0


def sounds() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"song": np.concatenate([sing(place, rng, 4.0) for place in range(4)]),
            "noise": rng.normal(0, 0.1, 240_000).astype(np.float32),
            "silence": np.zeros(240_000, np.float32),
            "quiet beside loud": (0.9 * np.sin(np.arange(240_000)) * (np.arange(240_000) > 120_000)
                                  + rng.normal(0, 1e-4, 240_000)).astype(np.float32)}


@pytest.mark.parametrize("name", sounds())
def test_windows_one_after_another_embed_as_each_by_itself(name: str) -> None:
    """As `watch` takes them: 5.3 s, each 2.4 s."""
    sound = sounds()[name]
    streaming, alone = Yamnet(PACKAGED_YAMNET), WaveformYamnet(PACKAGED_YAMNET, 1)
    for start in range(0, 3 * STEP, STEP):
        window = sound[start : start + YAMNET.window]
        heard = streaming.hear(window)
        expected = alone.embed(patches(window, YAMNET))
        scale = np.abs(expected).max()
        np.testing.assert_allclose(heard.frames / scale, expected[:, : YAMNET.dim] / scale,
                                   atol=ROUNDING)
        np.testing.assert_allclose(heard.classes, expected[:, YAMNET.dim :], atol=ROUNDING)


def test_the_log_mel_of_a_hop_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """10 patches have 96 + 9 * 48 = 528 frames; five hops later there are 240 more."""
    made: list[int] = []

    def counted(waveform: np.ndarray, mel: np.ndarray) -> np.ndarray:
        made.append(1 + (len(waveform) - 400) // 160)
        return log_mel(waveform, mel)

    monkeypatch.setattr("birdfield.log_mel.log_mel", counted)
    yamnet, sound = Yamnet(PACKAGED_YAMNET), sounds()["noise"]
    yamnet.hear(sound[: YAMNET.window])
    assert sum(made) == 528
    yamnet.hear(sound[STEP : STEP + YAMNET.window])
    assert sum(made) == 528 + 240


def test_a_tone_is_loud_in_its_own_band_only() -> None:
    """1 kHz is 1,000 mel of HTK's scale; 64 bands share 185..2,774 mel (125..7,500 Hz) evenly:
    their centres are (2,774 - 185) / 65 = 39.8 mel apart, and (1,000 - 185) / 39.8 - 1 = 19.5.
    """
    _, mel = read_yamnet(PACKAGED_YAMNET)
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    frames = log_mel(tone, mel)
    assert frames.shape == (98, 64) and set(frames.argmax(axis=1)) <= {19, 20}
    assert (frames[:, 30:] < np.log(0.1)).all()


def test_another_yamnet_is_run_whole(tmp_path: Path) -> None:
    """The places of the packaged file are not those of another."""
    other = tmp_path / "yamnet.tflite"
    other.write_bytes(PACKAGED_YAMNET.read_bytes() + b"\0")
    sound = sounds()["song"][: YAMNET.patch]
    np.testing.assert_allclose(Yamnet(other).embed(sound), Yamnet(PACKAGED_YAMNET).embed(sound),
                               atol=1e-3)


def test_the_packaged_file_is_cut_where_its_spectrogram_is_made() -> None:
    """Silence is log(0 + 0.001) in each band."""
    model = LogMelYamnet(PACKAGED_YAMNET, 1)
    assert model.embed(np.zeros((1, YAMNET.patch), np.float32)).shape == (1, YAMNET.dim + 521)
    assert np.allclose(model._frames, np.log(0.001))
