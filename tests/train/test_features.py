import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import soundfile

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

import keras

from birdfield.model.audio_specs import YAMNET
from birdfield.model.yamnet import Yamnet
from birdfield.paths import PACKAGED_YAMNET
from birdfield.recognise.dataset import scan_dataset
from birdfield.signals.image import ImageSpec, read_image
from birdfield_train.backbones import Backbone
from birdfield_train.extractors import extractors_of
from birdfield_train.features import Feature, FeatureSet, extract
from birdfield_train.sound_features import PatchEmbeddings

pytestmark = pytest.mark.train

RNG = np.random.default_rng(11)
SPEC = ImageSpec(32, "BGR", (10.0, 20.0, 30.0))


class Computed:
    """Counts the bases that were built and the waveforms that were embedded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bases = self.waveforms = 0
        self._embed = Yamnet.embed
        monkeypatch.setattr(Yamnet, "embed", lambda yamnet, sound: self.embed(yamnet, sound))

    def build(self) -> keras.Model:
        """Build a base of 3 channels that averages squares of 16 x 16 pixels."""
        self.bases += 1
        image = keras.Input((32, 32, 3))
        return keras.Model(image, keras.layers.AveragePooling2D(16)(image))

    def embed(self, yamnet: Yamnet, waveform: Any) -> Any:
        self.waveforms += 1
        return self._embed(yamnet, waveform)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> Computed:
    return Computed(monkeypatch)


def photograph(path: Path, seed: int = 0) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    grain = np.random.default_rng(seed).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    cv2.imwrite(str(path), cv2.resize(grain, (80, 60)))
    return path.read_bytes()


def recording(path: Path, seconds: float = 1.0, level: float = 0.1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = level * RNG.normal(size=int(seconds * YAMNET.rate_hz))
    soundfile.write(path, sound, YAMNET.rate_hz, "FLOAT")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A species with two photographs and two recordings."""
    for index in range(2):
        photograph(tmp_path / "images" / "Wren" / f"{index}.jpg", index)
        recording(tmp_path / "audio" / "Wren" / f"{index}.wav")
    return tmp_path


def run(
    data: Path,
    computed: Computed,
    key: str = "tiny",
    steps: list[tuple[str, int, int]] | None = None,
) -> FeatureSet:
    backbone = Backbone("tiny", SPEC, 3, computed.build, "none", key)
    return extract(
        scan_dataset(data / "images", data / "audio"),
        extractors_of(backbone, Yamnet(PACKAGED_YAMNET)),
        lambda *step: None if steps is None else steps.append(step),
    )


def names(features: Sequence[Feature]) -> list[str]:
    return [feature.sample.path.name for feature in features]


def test_of_equal_files_one_is_used(data: Path, computed: Computed) -> None:
    """Otherwise one copy would be in training and the other in the test."""
    (data / "images" / "Wren" / "copy.jpg").write_bytes(
        (data / "images" / "Wren" / "0.jpg").read_bytes()
    )
    copied = next((data / "audio").glob("*/*.wav"))
    (data / "audio" / "Zebra Finch").mkdir()
    (data / "audio" / "Zebra Finch" / "copy.wav").write_bytes(copied.read_bytes())
    features = run(data, computed)
    assert "copy.jpg" not in names(features.images) and "copy.wav" not in names(features.audio)
    assert [problem.partition(": ")[2] for problem in features.problems] == [
        f"the same file as {data / 'images' / 'Wren' / '0.jpg'}; remove one of them",
        f"the same file as {copied}; remove one of them",
    ]


def test_features_are_the_pooled_maps_and_the_patch_embeddings(
    data: Path, computed: Computed
) -> None:
    """Each channel has 4 cells, a mean and a peak; 1 s of sound has 2 patches of 0.975 s."""
    steps: list[tuple[str, int, int]] = []
    features = run(data, computed, steps=steps)
    assert features.problems == ()
    square = cv2.resize(
        read_image(data / "images" / "Wren" / "0.jpg"), (32, 32), interpolation=cv2.INTER_AREA
    )
    cells = (square - np.array(SPEC.mean)).reshape(2, 16, 2, 16, 3).mean(axis=(1, 3)).reshape(4, 3)
    np.testing.assert_allclose(
        features.images[0].load(), [*cells.mean(axis=0), *cells.max(axis=0)], rtol=1e-2
    )
    assert features.audio[0].load().shape == (2, YAMNET.dim)
    assert features.audio[0].load().dtype == np.float32
    assert steps == [("photographs", 2, 2), ("recordings", 1, 2), ("recordings", 2, 2)]


def test_one_recording_is_in_memory_at_a_time(
    data: Path, computed: Computed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen recordings of an hour, in four versions each, need 15 GB."""
    ahead: list[int] = []
    read = PatchEmbeddings.read

    def counted(self: Any, path: Path) -> Any:
        ahead.append(len(ahead) - computed.waveforms)
        return read(self, path)

    monkeypatch.setattr(PatchEmbeddings, "read", counted)
    run(data, computed)
    assert ahead == [0, 0]


def test_a_second_extraction_computes_nothing(data: Path, computed: Computed) -> None:
    first = run(data, computed)
    assert (computed.bases, computed.waveforms) == (1, 2)
    second = run(data, computed)
    assert (computed.bases, computed.waveforms) == (1, 2)
    assert second == first


def test_a_renamed_file_is_cached_and_changed_content_is_computed_again(
    data: Path, computed: Computed
) -> None:
    first = run(data, computed)
    (data / "images" / "Wren" / "0.jpg").rename(data / "images" / "Wren" / "9.jpg")
    recording(data / "audio" / "Wren" / "1.wav")
    second = run(data, computed)
    assert (computed.bases, computed.waveforms) == (1, 3)
    assert second.images[1].cached == first.images[0].cached
    assert second.audio[0].cached == first.audio[0].cached
    assert second.audio[1].cached != first.audio[1].cached


def test_another_base_has_a_cache_of_its_own(data: Path, computed: Computed) -> None:
    run(data, computed)
    run(data, computed, key="other")
    assert (computed.bases, computed.waveforms) == (2, 2)


def test_a_frontend_with_a_class_projection_has_a_cache_of_its_own(
    data: Path, computed: Computed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its embeddings are longer than those that the cache holds."""
    before = run(data, computed).audio[0].cached.parent.name
    assert before.endswith(f"-{YAMNET.hop}")
    monkeypatch.setattr(Yamnet, "spec", replace(YAMNET, class_dim=5))
    assert run(data, computed).audio[0].cached.parent.name == f"{before}-evidence5"
    assert computed.waveforms == 4


def bad_files(data: Path) -> dict[str, str]:
    """Write unusable files; return a pattern of the problem of each, by name."""
    images, audio = data / "images" / "Wren", data / "audio" / "Wren"
    whole = photograph(images / "truncated.jpg", 9)
    (images / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (images / "empty.jpg").touch()
    (images / "text.jpg").write_text("This is not a picture.")
    cv2.imwrite(str(images / "black.png"), np.zeros((60, 80, 3), np.uint8))
    (images / "huge.png").write_bytes(
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
        + (60_000).to_bytes(4, "big") * 2
        + b"\x08\x02\0\0\0\x9f\xd4\xbb\x46\0\0\0\0IEND\xaeB`\x82"
    )
    (images / "notes.txt").write_text("A wren.")
    recording(audio / "silent.wav", level=0)
    soundfile.write(audio / "nan.wav", np.full(YAMNET.rate_hz, np.nan), YAMNET.rate_hz, "FLOAT")
    recording(audio / "short.wav", seconds=0.05)
    (audio / "empty.wav").touch()
    (audio / "text.wav").write_text("This is not a sound.")
    soundfile.write(audio / "half.flac", 0.1 * RNG.normal(size=YAMNET.rate_hz), YAMNET.rate_hz)
    half = (audio / "half.flac").read_bytes()
    (audio / "half.flac").write_bytes(half[:30])  # not even the whole header
    return {
        "truncated.jpg": "the picture is truncated",
        "empty.jpg": "the file is empty",
        "text.jpg": "not a picture",
        "black.png": "the picture is dark",
        "huge.png": "megapixels, which needs more than|not a picture",
        "notes.txt": "not a file of this data set",
        "silent.wav": "the recording is silent",
        "nan.wav": "finite",
        "short.wav": "0.050 s of sound; expected at least",
        "empty.wav": "the file is empty",
        "text.wav": "not a recording",
        "half.flac": "not a recording",
    }


def test_each_unusable_file_is_named_with_its_problem_and_the_others_are_used(
    data: Path, computed: Computed
) -> None:
    expected = bad_files(data)
    features = run(data, computed)
    assert names(features.images) == ["0.jpg", "1.jpg"]
    assert names(features.audio) == ["0.wav", "1.wav"]
    for name, reason in expected.items():
        own = [problem for problem in features.problems if f"/{name}: " in problem]
        assert len(own) == 1 and re.search(reason, own[0]), (name, features.problems)
        assert "\n" not in own[0]
    assert len(features.problems) == len(expected)


def test_numbers_beyond_the_range_of_16_bits_are_clipped(
    data: Path, computed: Computed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The greatest float16 is 65504."""
    loud = np.array([[1e6, -1e6, 2.0]], np.float32)
    monkeypatch.setattr(computed, "embed", lambda yamnet, waveform: loud)
    np.testing.assert_array_equal(run(data, computed).audio[0].load(), [[65504, -65504, 2]])


def test_the_cache_has_complete_files_only(data: Path, computed: Computed) -> None:
    bad_files(data)
    features = run(data, computed)
    cached = {feature.cached for feature in (*features.images, *features.audio)}
    folders = {path.parent for path in cached}
    assert {path for folder in folders for path in folder.iterdir()} == cached
