import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

from birdfield.errors import InputError, UsageError
from birdfield.model.audio_specs import YAMNET
from birdfield.model.encoder import unit
from birdfield.model.yamnet import Yamnet
from birdfield.paths import PACKAGED_YAMNET
from birdfield_train.toy_aviary import sing
from birdfield_train.triplets import RESAMPLERS, Triplet, _read, prepare_triplets

pytestmark = pytest.mark.train

DEGREES = 100  # angle of the embedding of a waveform with level 1


def by_level(waveform: NDArray[np.float32]) -> tuple[Any, Any, Any]:
    """Replace a hub model: the level of a sound becomes an angle, so that cosines are known."""
    angle = np.radians(DEGREES * np.abs(waveform).mean())
    patches = 1 + max(0, -(-(len(waveform) - 15_600) // 7_680))
    embeddings = np.zeros((patches, 1024))
    embeddings[:, 0], embeddings[:, 1] = np.cos(angle), np.sin(angle)
    return np.zeros((patches, 521)), embeddings, np.zeros((96, 64))


def level_of(sequence: NDArray[np.float32]) -> float:
    return float(np.degrees(np.arctan2(sequence[0, 1], sequence[0, 0])) / DEGREES)


def add_species(
    data: Path, label: str, levels: list[float], photographs: int = 3, clips: int = 1
) -> None:
    """Write a species whose recordings have one level each; its photographs are empty files."""
    images, audio = data / "images" / label, data / "audio" / label
    images.mkdir(parents=True)
    audio.mkdir(parents=True)
    for index in range(photographs):
        (images / f"{index}.jpg").touch()
    for level in levels:
        for clip in range(clips):
            soundfile.write(
                audio / f"{level}__{clip}.wav",
                np.full(YAMNET.rate_hz, level),
                YAMNET.rate_hz,
                "FLOAT",
            )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Wren and Tit sound similar, within 10 degrees; Owl is 60 degrees away."""
    add_species(tmp_path, "Wren", [0.10, 0.12, 0.14], clips=2)
    add_species(tmp_path, "Tit", [0.18, 0.20])
    add_species(tmp_path, "Owl", [0.80, 0.82])
    return tmp_path


def prepare(
    data: Path, count: int = 20, model: Any = by_level, resampler: str = "soxr"
) -> list[Triplet]:
    return prepare_triplets(data / "images", data / "audio", model, count, resampler)


def species_of(path: Path) -> str:
    return path.parent.name


def test_each_species_has_the_given_number_of_triplets(data: Path) -> None:
    triplets = prepare(data, 7)
    assert [species_of(triplet.anchor_image) for triplet in triplets] == (
        ["Owl"] * 7 + ["Tit"] * 7 + ["Wren"] * 7
    )


def test_anchor_and_positive_are_different_samples_of_one_species(data: Path) -> None:
    for triplet in prepare(data):
        assert species_of(triplet.anchor_image) == species_of(triplet.positive_image)
        assert triplet.anchor_image != triplet.positive_image
        assert (
            triplet.anchor_audio.shape
            == triplet.positive_audio.shape
            == (YAMNET.patches_per_window, 1024)
        )
        # Another level means another recording.
        assert abs(level_of(triplet.anchor_audio) - level_of(triplet.positive_audio)) > 0.01


def test_every_recording_is_an_anchor_and_a_positive(data: Path) -> None:
    wrens = [triplet for triplet in prepare(data, 60) if species_of(triplet.anchor_image) == "Wren"]
    for name in ("anchor_audio", "positive_audio"):
        levels = {round(level_of(getattr(triplet, name)), 2) for triplet in wrens}
        assert levels == {0.10, 0.12, 0.14}


def test_clips_of_a_lone_recording_are_each_others_positives(data: Path) -> None:
    add_species(data, "Robin", [0.5], clips=2)
    assert any(species_of(triplet.anchor_image) == "Robin" for triplet in prepare(data))


def test_negatives_are_similar_sounding_recordings_of_other_species(data: Path) -> None:
    """For a Wren, the others are 2 Tits and 2 Owls; the nearest quarter is the Tit of 0.18."""
    for triplet in prepare(data):
        own, other = species_of(triplet.anchor_image), species_of(triplet.negative_image)
        assert other == {"Wren": "Tit", "Tit": "Wren", "Owl": "Tit"}[own]
        if own == "Wren":
            assert level_of(triplet.negative_audio) == pytest.approx(0.18, abs=1e-3)


def test_the_draw_is_seeded(data: Path) -> None:
    for one, two in zip(prepare(data), prepare(data), strict=True):
        assert (one.anchor_image, one.positive_image) == (two.anchor_image, two.positive_image)
        np.testing.assert_array_equal(one.negative_audio, two.negative_audio)


def test_species_without_two_of_each_are_left_out(data: Path) -> None:
    add_species(data, "Jay", [0.3, 0.4], photographs=1)
    add_species(data, "Rook", [0.3])
    assert {
        species_of(path)
        for triplet in prepare(data)
        for path in (triplet.anchor_image, triplet.negative_image)
    } == {"Owl", "Tit", "Wren"}


def test_fewer_than_two_such_species_are_refused(tmp_path: Path) -> None:
    add_species(tmp_path, "Wren", [0.1, 0.2])
    add_species(tmp_path, "Jay", [0.3])
    with pytest.raises(
        InputError,
        match="^1 species have two photographs in .* and two "
        "recordings in .*; expected at least 2 such species$",
    ):
        prepare(tmp_path)


def test_an_unknown_resampler_is_refused(data: Path) -> None:
    with pytest.raises(UsageError, match="resampler is 'sox'; expected one of soxr, resampy"):
        prepare(data, resampler="sox")


@pytest.mark.parametrize("resampler", ["soxr", "resampy"])
def test_an_unusable_recording_is_named(data: Path, resampler: str) -> None:
    if resampler == "resampy":
        pytest.importorskip("resampy", reason="resampy is not installed: birdfield[train]")
    bad = data / "audio" / "Tit" / "bad.wav"
    bad.write_bytes(b"no sound")
    with pytest.raises(InputError, match="bad.wav: not a recording that can be decoded"):
        prepare(data, resampler=resampler)
    soundfile.write(bad, np.full(YAMNET.rate_hz, np.nan), YAMNET.rate_hz, "FLOAT")
    with pytest.raises(InputError, match="bad.wav: holds samples that are .*finite"):
        prepare(data, resampler=resampler)


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """Two toy species at rates that need resampling; one recording is stereo."""
    for species, label in ((0, "Wagtip"), (3, "Trill")):
        add_species(tmp_path, label, [])
        for index, rate_hz in enumerate((22_050, 44_100)):
            sung = np.tile(
                sing(species, np.random.default_rng(index), 1.5, rate_hz)[:, None], (1, 1 + index)
            )
            soundfile.write(tmp_path / "audio" / label / f"{index}.wav", sung, rate_hz)
    return tmp_path


def test_a_yamnet_object_and_a_hub_model_lead_to_the_same_triplets(songs: Path) -> None:
    yamnet = Yamnet(PACKAGED_YAMNET)

    def hub_model(waveform: NDArray[np.float32]) -> tuple[Any, Any, Any]:
        """Return all numbers of the embeddings, so that both draw the same."""
        features = yamnet.extract_features(waveform)
        return features.class_scores, features.embeddings, np.zeros((96, 64), np.float32)

    for one, two in zip(prepare(songs, 3, yamnet), prepare(songs, 3, hub_model), strict=True):
        np.testing.assert_array_equal(one.anchor_audio, two.anchor_audio)


def test_soxr_and_resampy_lead_to_nearly_the_same_embeddings(songs: Path) -> None:
    pytest.importorskip("resampy", reason="resampy is not installed: birdfield[train]")
    yamnet = Yamnet(PACKAGED_YAMNET)
    for one, two in zip(
        prepare(songs, 4, yamnet), prepare(songs, 4, yamnet, "resampy"), strict=True
    ):
        cosines = (unit(one.anchor_audio) * unit(two.anchor_audio)).sum(axis=1)
        assert cosines.min() >= 0.999


@pytest.mark.real
def test_soxr_and_resampy_agree_on_real_recordings() -> None:
    pytest.importorskip("resampy", reason="resampy is not installed: birdfield[train]")
    audio = Path(os.environ["BIRDFIELD_DATA"]) / "train" / "audio"
    yamnet = Yamnet(PACKAGED_YAMNET)
    cosines = []
    for path in sorted(audio.rglob("*.*"))[::12]:
        assert soundfile.info(path).samplerate != YAMNET.rate_hz, f"{path} needs no resampling"
        one, two = (
            unit(yamnet.embed(_read(path, resampler)).mean(axis=0)) for resampler in RESAMPLERS
        )
        cosines.append(float(one @ two))
    assert len(cosines) >= 20 and min(cosines) >= 0.999
