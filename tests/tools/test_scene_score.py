"""Tests of the scene score: scripts, rendered gardens, and the comparison with visits."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import soundfile

TOOLS = Path(__file__).parents[2] / "tools"
RATE_HZ = 16_000
NOISES = ("Wind", "Human_speech", "Dog_bark")


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType, ModuleType]:
    monkeypatch.syspath_prepend(str(TOOLS))
    script, garden, score = (
        importlib.import_module(name) for name in ("garden_script", "garden", "scene_score")
    )
    return script, garden, score


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Two species with two photographs and two recordings each, a view, and three noises."""
    rng = np.random.default_rng(0)
    images, audio, views, noises = (
        tmp_path / name for name in ("images", "audio", "views", "noises")
    )
    for number, species in enumerate(("Jay", "Wren")):
        for folder in (images, audio):
            (folder / species).mkdir(parents=True)
        for place in range(2):
            picture = np.full((60, 80, 3), 90, np.uint8)
            cv2.circle(picture, (40, 30), 18, (255 * number, 40, 255 * (1 - number)), -1)
            cv2.imwrite(str(images / species / f"{place}.png"), picture)
            song = 0.3 * np.sin(np.arange(2 * RATE_HZ) * (0.6 + number))
            soundfile.write(audio / species / f"r{place}__0.wav", song, RATE_HZ)
    views.mkdir()
    cv2.imwrite(str(views / "sky__0.png"), rng.integers(60, 200, (36, 64, 3), dtype=np.uint8))
    noises.mkdir()
    for kind in NOISES:
        soundfile.write(noises / f"{kind}__0.wav", rng.normal(0, 0.1, 2 * RATE_HZ), RATE_HZ)
    return [images, audio, views, noises]


def stay(script: ModuleType, **values: Any) -> Any:
    """Return the stay of a Jay from 10 to 20 s that is neither seen nor heard."""
    plain = {
        "species": "Jay",
        "kind": "seen",
        "start_s": 10.0,
        "end_s": 20.0,
        "seen_from_s": None,
        "photographs": (),
        "recording": None,
        "size": 0.3,
        "snr_db": 10.0,
        "dark": False,
    }
    return script.Stay(**{**plain, **values})


def garden_of(script: ModuleType, folders: list[Path], *stays: Any) -> Any:
    return script.Garden(
        30.0, folders[2] / "sky__0.png", folders[3] / "Wind__0.wav", False, False, stays, (), ()
    )


def test_a_seed_gives_the_same_script_and_visits_are_apart(
    modules: tuple[ModuleType, ...], folders: list[Path]
) -> None:
    """12 visits are 10 in one garden and 2 in the next. At least 45 s lie between two visits, of
    which overlapping birds may use 5 s at either end."""
    script = modules[0]
    files = script.find_files(folders)
    gardens = script.draw_script(files, 12, seed=3)
    assert gardens == script.draw_script(files, 12, seed=3)
    assert gardens != script.draw_script(files, 12, seed=4)
    visits = [[each for each in garden.stays if "beside" not in each.kind] for garden in gardens]
    assert list(map(len, visits)) == [10, 2]
    for first, second in zip(visits[0], visits[0][1:], strict=False):
        assert second.start_s - first.end_s >= 35
    for each in (each for garden in gardens for each in garden.stays):
        assert (each.seen_from_s is None) == (not each.photographs)
        assert each.photographs or each.recording


def test_halves_share_no_file(modules: tuple[ModuleType, ...], folders: list[Path]) -> None:
    """Each species has two recordings, one in each half."""
    halves = [modules[0].find_files(folders, half) for half in (0, 1)]
    for sense in ("photographs", "recordings"):
        first, second = (
            [path for paths in getattr(half, sense).values() for path in paths] for half in halves
        )
        assert len(first) == len(second) == 2 and not set(first) & set(second)


def test_a_bird_is_shown_during_its_stay(
    modules: tuple[ModuleType, ...], folders: list[Path]
) -> None:
    """The grain repeats after 8 looks, or 4 s: pictures 8 s apart differ only by the bird."""
    script, garden, _ = modules
    jay = stay(script, seen_from_s=10.0, photographs=(folders[0] / "Jay" / "0.png",))
    scene = garden.Scene(garden_of(script, folders, jay), RATE_HZ, np.random.default_rng(0))
    before, there, after = (scene.picture(time_s) for time_s in (7.0, 15.0, 23.0))
    np.testing.assert_array_equal(before, after)
    changed = (there != before).any(axis=2)
    assert 0.01 < changed.mean() < 0.3 * 0.3, "the longer side is 0.3 of the picture's height"
    red = there[changed].astype(int)
    assert (red[:, 2] - red[:, 0]).max() > 150


def test_it_is_dark_around_a_visit_at_night(
    modules: tuple[ModuleType, ...], folders: list[Path]
) -> None:
    """From 10 s before it, at 0 s, to 10 s after it, at 30 s; 0.03 of 200 is 6."""
    script, garden, _ = modules
    jay = stay(script, start_s=12.0, dark=True)
    scene = garden.Scene(garden_of(script, folders, jay), RATE_HZ, np.random.default_rng(0))
    assert scene.picture(1.0).mean() > 60
    assert scene.picture(2.5).mean() < 12


def test_a_song_has_its_level_above_the_noise(
    modules: tuple[ModuleType, ...], folders: list[Path]
) -> None:
    """The steady noise is 0.01 of full scale, so 20 dB above it is 0.1. The loud half of a sine
    has the level of the whole."""
    script, garden, _ = modules
    jay = stay(script, snr_db=20.0, recording=folders[1] / "Jay" / "r0__0.wav")
    scene = garden.Scene(garden_of(script, folders, jay), RATE_HZ, np.random.default_rng(0))
    quiet = np.concatenate([scene.second(index) for index in range(10)])
    assert np.sqrt(np.mean(quiet**2)) == pytest.approx(0.01, rel=0.05)
    assert np.sqrt(np.mean(scene.second(10) ** 2)) == pytest.approx(0.1, rel=0.05)


def test_a_bird_is_found_once_and_only_during_its_stay(modules: tuple[ModuleType, ...]) -> None:
    """Of five visits, one is undecided, one is of the Jay, one of the Jay again, one too late, and
    one of another species: 1 of 4 named visits is right, and 1 of 2 birds is found."""
    script, _, score = modules
    stays = [stay(script), stay(script, species="Wren", kind="heard", recording=Path("r"))]
    found = [
        score.Found(*values)
        for values in (
            ("Jay", 8.0, 12.0),
            ("Jay", 15.0, 19.0),
            ("Wren", 20.0, 25.0),
            ("Robin", 10.0, 20.0),
            (None, 10.0, 20.0),
        )
    ]
    assert score.match(found[:4], stays) == [stays[0], None, None, None]
    rows = {row["group"]: row for row in score.tabulate([(found, stays)])}
    assert rows["all"] == {
        "group": "all",
        "there": 2,
        "found": 1,
        "recall": 0.5,
        "named": 4,
        "undecided": 1,
        "precision": 0.25,
    }
    assert rows["kind heard"] == {"group": "kind heard", "there": 1, "found": 0, "recall": 0.0}
    assert rows["SNR 10.0"]["there"] == 1
