import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from birdfield.errors import InputError
from birdfield.model.audio_specs import BANDS, EMBEDDING, YAMNET
from birdfield.model.encoder import unit
from birdfield.model.tflite import TfliteModel
from birdfield.model.yamnet import CLASSES, Yamnet
from birdfield.paths import PACKAGED_YAMNET, PACKAGED_YAMNET_SHA256, check_sha256, file_sha256
from birdfield_train.toy_aviary import sing

RECORDINGS = 5


@pytest.fixture(scope="module")
def yamnet() -> Yamnet:
    return Yamnet(PACKAGED_YAMNET, threads=2)


def noise(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, length).astype(np.float32)


@pytest.mark.parametrize(
    ("length", "count"),
    [(1, 1), (YAMNET.patch, 1), (YAMNET.patch + 1, 2), (YAMNET.patch + 4 * YAMNET.hop, 5)],
)
def test_each_patch_has_an_embedding_and_scores(yamnet: Yamnet, length: int, count: int) -> None:
    heard = yamnet.extract_features(noise(length))
    embeddings, scores = heard.embeddings, heard.class_scores
    assert embeddings.shape == (count, YAMNET.dim) and scores.shape == (count, CLASSES)
    assert embeddings.dtype == scores.dtype == np.float32
    assert scores.min() >= 0 and scores.max() <= 1


def test_a_patch_has_the_same_embedding_alone_and_in_a_recording(yamnet: Yamnet) -> None:
    waveform = noise(YAMNET.patch + 3 * YAMNET.hop)
    whole = yamnet.embed(waveform)
    for place in range(4):
        alone = yamnet.embed(waveform[place * YAMNET.hop :][: YAMNET.patch])
        assert np.array_equal(alone[0], whole[place])


@pytest.mark.parametrize(
    "waveform",
    [
        np.zeros(YAMNET.patch, np.float32),
        np.ones(YAMNET.patch, np.float32),
        noise(YAMNET.patch),
        np.sign(noise(YAMNET.patch)),
        np.full(YAMNET.patch, 1e-38, np.float32),
    ],
    ids=["silence", "offset", "noise", "clipped", "denormal"],
)
def test_all_outputs_are_finite(yamnet: Yamnet, waveform: np.ndarray) -> None:
    heard = yamnet.extract_features(waveform)
    assert np.isfinite(heard.embeddings).all() and np.isfinite(heard.class_scores).all()


def test_only_silence_has_the_class_silence(yamnet: Yamnet) -> None:
    """YAMNet's class 494 is Silence."""
    silent = yamnet.extract_features(np.zeros(YAMNET.patch, np.float32)).class_scores
    seconds = np.arange(YAMNET.patch) / YAMNET.rate_hz
    beep = yamnet.extract_features(
        (0.5 * np.sin(2 * np.pi * 1000 * seconds)).astype(np.float32)
    ).class_scores
    assert silent[0].argmax() == 494
    assert beep[0].argmax() != 494


def test_the_packaged_file_has_its_hash() -> None:
    check_sha256(PACKAGED_YAMNET, PACKAGED_YAMNET_SHA256)


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    changed = bytearray(PACKAGED_YAMNET.read_bytes())
    changed[1_000_000] ^= 1
    (tmp_path / "yamnet.tflite").write_bytes(changed)
    with pytest.raises(InputError, match=f"SHA-256 is .*, expected {PACKAGED_YAMNET_SHA256[:12]}"):
        check_sha256(tmp_path / "yamnet.tflite", PACKAGED_YAMNET_SHA256)
    assert file_sha256(PACKAGED_YAMNET) == PACKAGED_YAMNET_SHA256


def test_the_bands_separate_pitches_better_than_the_embedding(yamnet: Yamnet) -> None:
    """Tones of 2.5 and 5 kHz."""
    seconds = np.arange(YAMNET.patch) / YAMNET.rate_hz
    frames = np.concatenate(
        [
            yamnet.embed((0.3 * np.sin(2 * np.pi * hz * seconds)).astype(np.float32))
            for hz in (2500, 5000)
        ]
    )
    assert frames.shape == (2, EMBEDDING + BANDS)
    embeddings, bands = unit(frames[:, :EMBEDDING]), unit(frames[:, EMBEDDING:])
    assert bands[0] @ bands[1] < embeddings[0] @ embeddings[1]


def test_a_conversion_without_bands_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("birdfield.model.tflite.TfliteModel.__init__", older_model)
    with pytest.raises(InputError) as caught:
        Yamnet(Path("old.tflite"))
    assert str(caught.value) == (
        "old.tflite: the outputs are embeddings, scores, expected bands, "
        "embeddings, scores; train again with this birdfield"
    )


def older_model(model: TfliteModel, path: Path, threads: int) -> None:
    """Have the outputs of an early conversion, without bands."""
    model.inputs, model.outputs = {"waveform": (YAMNET.patch,)}, frozenset({"embeddings", "scores"})


def test_a_tower_is_refused_as_a_frontend(toy_bundle: Path) -> None:
    with pytest.raises(InputError, match=r"inputs are .*, expected waveform \[15600\]"):
        Yamnet(toy_bundle / "fusion.tflite")


def assert_resamplers_agree(yamnet: Yamnet, path: Path) -> None:
    """Compare the resampler of `prepare_triplets`, resampy, with that of all else, soxr."""
    pytest.importorskip("resampy", reason="resampy is not installed: birdfield[train]")
    from birdfield_train.triplets import _read

    by_soxr, by_resampy = (yamnet.embed(_read(path, name)) for name in ("soxr", "resampy"))
    count = min(len(by_soxr), len(by_resampy))
    assert abs(len(by_soxr) - len(by_resampy)) <= 1
    assert (unit(by_soxr[:count]) * unit(by_resampy[:count])).sum(axis=1).min() >= 0.999


# numba, the compiler of resampy, warns about its own deprecated code.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_soxr_and_resampy_agree(yamnet: Yamnet, tmp_path: Path) -> None:
    """A song of 3 s of the toy aviary at 44.1 kHz, compared patch by patch."""
    song = sing(0, np.random.default_rng(0), 3.0)
    soundfile.write(tmp_path / "song.wav", soxr.resample(song, YAMNET.rate_hz, 44_100), 44_100)
    assert_resamplers_agree(yamnet, tmp_path / "song.wav")


@pytest.mark.real
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_soxr_and_resampy_agree_on_real_recordings(yamnet: Yamnet) -> None:
    recordings = sorted((Path(os.environ["BIRDFIELD_DATA"]) / "train").rglob("*.ogg"))
    chosen = [
        path
        for path in recordings[:: len(recordings) // 50]
        if soundfile.info(path).samplerate != YAMNET.rate_hz
    ][:RECORDINGS]
    assert len(chosen) == RECORDINGS
    for path in chosen:
        assert_resamplers_agree(yamnet, path)
