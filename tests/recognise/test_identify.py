import csv
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
from fakes import HZ_PER_DEGREE, BluePitch, at, factory, picture, tone

from birdfield.commands.console import show
from birdfield.errors import InputError
from birdfield.model.audio_specs import YAMNET
from birdfield.model.names import LABELS_ONLY
from birdfield.recognise.embed import embed_file, pool_samples, sense_from_suffix
from birdfield.recognise.identify import identify_file, identify_pair, list_files
from birdfield.recognise.observation import Observation

STRIDE_S = YAMNET.stride / YAMNET.rate_hz  # 4.8 s


def identify(path: Path, pooled: bool = False) -> list[Observation]:
    return list(identify_file(BluePitch(), factory(), path, pooled))


def two_tones(path: Path, degrees: tuple[int, int], each_s: float) -> Path:
    """Write one tone after another."""
    seconds = np.arange(round(each_s * YAMNET.rate_hz)) / YAMNET.rate_hz
    tones = [0.5 * np.sin(2 * np.pi * angle * HZ_PER_DEGREE * seconds) for angle in degrees]
    soundfile.write(path, np.concatenate(tones), YAMNET.rate_hz)
    return path


def test_a_photograph_is_identified(tmp_path: Path) -> None:
    path = picture(tmp_path / "robin.png", 60)
    [found] = identify(path)
    assert found.decision.species == "Robin" and found.decision.senses == ("image",)
    assert (found.image_source, found.audio_source) == (str(path), None)
    assert found.start_s is None and found.end_s is None
    assert abs((datetime.now(UTC) - found.time).total_seconds()) < 60


def test_a_recording_has_an_observation_for_each_window(tmp_path: Path) -> None:
    """Windows of 5.295 s in 14 s start at 0 s and 4.8 s; the last, moved back by whole hops of
    0.48 s, starts at ceil((14 - 5.295) / 0.48) = 19 hops = 9.12 s and ends with the recording.
    """
    path = two_tones(tmp_path / "song.wav", (60, 120), 7.0)
    found = identify(path)
    assert [row.start_s for row in found] == [0, STRIDE_S, 9.12]
    assert [row.end_s for row in found] == pytest.approx(
        [YAMNET.window_s, STRIDE_S + YAMNET.window_s, 14.0]
    )
    assert found[0].decision.species == "Robin" and found[2].decision.species == "Wren"
    assert all(row.decision.senses == ("audio",) and row.audio_source == str(path) for row in found)


def test_a_pooled_recording_has_one_observation(tmp_path: Path) -> None:
    """Its first window is at 60 degrees, its last at 64: their mean is near the robin at 60."""
    [found] = identify(two_tones(tmp_path / "song.wav", (60, 64), 5.3), pooled=True)
    assert found.start_s == 0 and found.end_s == pytest.approx(10.6)
    assert found.decision.species == "Robin" and found.decision.similarity > 0.99


def test_a_photograph_may_be_pooled_too(tmp_path: Path) -> None:
    [found] = identify(picture(tmp_path / "robin.png", 60), pooled=True)
    assert found.decision.species == "Robin" and found.start_s is None


def test_a_pair_has_one_observation_by_both_senses(tmp_path: Path) -> None:
    """A picture at 100 and a sound at 140 degrees are together at 120, where the wren is."""
    image, audio = picture(tmp_path / "a.png", 100), tone(tmp_path / "a.wav", 140)
    found = identify_pair(BluePitch(), factory(), image, audio)
    assert found.decision.species == "Wren" and found.decision.senses == ("image", "audio")
    assert found.decision.similarity == pytest.approx(1, abs=1e-3)
    assert (found.image_source, found.audio_source) == (str(image), str(audio))


def test_a_pair_in_the_wrong_order_is_refused(tmp_path: Path) -> None:
    image, audio = picture(tmp_path / "a.png", 60), tone(tmp_path / "a.wav", 60)
    with pytest.raises(InputError, match="a.wav: not a photograph; expected one of .bmp"):
        identify_pair(BluePitch(), factory(), audio, image)
    with pytest.raises(InputError, match="a.png: not a recording; expected one of .aif"):
        identify_pair(BluePitch(), factory(), image, image)


@pytest.mark.parametrize(
    ("level", "words"),
    [
        (0.0, "the recording is silent; expected the sound of a bird"),
        (9.0, "the recording is clipped; expected the sound of a bird"),
    ],
)
def test_a_silent_or_clipped_recording_is_refused(tmp_path: Path, level: float, words: str) -> None:
    seconds = np.arange(YAMNET.rate_hz * 6) / YAMNET.rate_hz
    sound = np.clip(level * np.sin(9000 * seconds), -1, 1)
    soundfile.write(tmp_path / "a.wav", sound, YAMNET.rate_hz)
    with pytest.raises(InputError, match=words):
        identify(tmp_path / "a.wav")


def test_silent_windows_have_no_observation(tmp_path: Path) -> None:
    """10 s of tone, 10 s of silence: the windows at 0, 4.8 and 9.6 s have a tone, two have none."""
    path = two_tones(tmp_path / "a.wav", (60, 0), 10.0)
    assert [row.start_s for row in identify(path)] == [0, 4.8, 9.6]


@pytest.mark.parametrize(("level", "fault"), [(5, "dark"), (120, "flat")])
def test_a_dark_or_flat_photograph_is_refused(tmp_path: Path, level: int, fault: str) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((50, 50, 3), level, np.uint8))
    with pytest.raises(InputError, match=f"the picture is {fault}; expected a photograph of a"):
        identify(tmp_path / "a.png")


def test_a_long_recording_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """10 minutes at 16 kHz are 38 MB of float32; memory holds a few blocks of 10 s."""
    with soundfile.SoundFile(tmp_path / "long.flac", "w", YAMNET.rate_hz, 1) as out:
        seconds = np.arange(YAMNET.rate_hz * 60) / YAMNET.rate_hz
        minute = 0.5 * np.sin(2 * np.pi * 3000 * seconds)
        for _ in range(10):
            out.write(minute)
    tracemalloc.start()
    try:
        count = sum(1 for _ in embed_file(BluePitch(), tmp_path / "long.flac"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 125  # 1 + ceil((600 - 5.295) / 4.8)
    assert peak < 20_000_000


def test_files_below_folders_are_listed_in_path_order(tmp_path: Path) -> None:
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / "b" / ".thumbnails").mkdir()
    for name in (
        "b/z.JPG",
        "b/deep/a.wav",
        "b/a.png",
        "b/notes.txt",
        "b/._a.png",
        "b/.thumbnails/z.png",
    ):
        (tmp_path / name).touch()
    (tmp_path / "b" / "folder.png").mkdir()
    loose = picture(tmp_path / "loose.png", 0)
    found = list_files([loose, tmp_path / "b"])
    assert [str(path.relative_to(tmp_path)) for path in found] == [
        "loose.png",
        "b/a.png",
        "b/deep/a.wav",
        "b/z.JPG",
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.png", "missing.png: no such file or folder"),
        ("empty", "empty: no photograph or recording in this folder"),
        ("notes.txt", "neither a photograph nor a recording; expected one of .aif"),
    ],
)
def test_a_path_that_cannot_be_identified_is_named(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=words):
        list_files([tmp_path / name])


@pytest.mark.parametrize(
    ("name", "sense"),
    [("a.JPG", "image"), ("a.webp", "image"), ("a.Flac", "audio"), ("a.aif", "audio")],
)
def test_the_suffix_of_a_file_is_its_sense(name: str, sense: str) -> None:
    assert sense_from_suffix(Path(name)) == sense


def test_pooling_no_sample_is_refused() -> None:
    with pytest.raises(InputError, match="no window to pool; expected at least one"):
        pool_samples([])


def test_a_pooled_vector_has_the_direction_of_the_sum(tmp_path: Path) -> None:
    """One window at 60 and one at 64 degrees: their sum is at 62."""
    path = two_tones(tmp_path / "a.wav", (60, 64), 4.8)
    parts = list(embed_file(BluePitch(), path))
    pooled = pool_samples([parts[0], parts[-1]])
    assert pooled.audio is not None and pooled.image is None
    assert np.allclose(pooled.audio, at(62), atol=0.02)


def test_observations_before_an_interruption_are_in_the_csv(tmp_path: Path) -> None:
    def answers() -> Iterator[Observation]:
        yield from identify_file(BluePitch(), factory(), picture(tmp_path / "a.png", 3))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        show(answers(), "a1b2", False, LABELS_ONLY, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as stream:
        assert [row["species"] for row in csv.DictReader(stream)] == ["Jay"]
