"""The commands of a station, with a real model and real files."""

import csv
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from command_line import assert_refused, lines_of, run

from birdfield.model.audio_specs import YAMNET
from birdfield.signals.image import read_image
from birdfield_train.toy_aviary import write_scene

PROGRAM = Path(sys.executable).with_name("birdfield")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three visits: one by both senses, one in the dark, and one without sound."""
    folder = tmp_path_factory.mktemp("scene")
    write_scene(folder, seed=7, visits=1)
    return folder


@pytest.fixture(scope="module")
def journal(toy_bundle: Path, scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of the scene; tests only read it."""
    folder = tmp_path_factory.mktemp("garden") / "journal"
    result = run(
        "watch",
        "--model",
        toy_bundle,
        "--camera",
        scene / "scene.avi",
        "--microphone",
        scene / "scene.wav",
        "--fast",
        "--journal",
        folder,
        "--gap",
        4,
    )
    assert result.exit_code == 0, result.output
    return folder


def script(scene: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((scene / "scene.json").read_text())["visits"]
    return found


def test_each_visit_of_a_scene_is_found_once(journal: Path, scene: Path) -> None:
    """Each visit begins and ends within a window of 5.3 s of the script."""
    visits = lines_of(run("visits", journal, "--json"))
    wanted = script(scene)
    assert [visit["species"] for visit in visits] == [visit["species"] for visit in wanted]
    for visit, meant in zip(visits, wanted, strict=True):
        assert abs(visit["start_s"] - meant["start_s"]) < YAMNET.window_s
        assert abs(visit["end_s"] - meant["end_s"]) < YAMNET.window_s
        assert visit["senses"] == ("both" if len(meant["senses"]) > 1 else meant["senses"][0])


def test_evidence_exists_for_the_senses_of_a_visit(journal: Path) -> None:
    for visit in lines_of(run("visits", journal, "--json")):
        assert (visit["picture"] is not None) == (visit["senses"] != "audio")
        assert (visit["sound"] is not None) == (visit["senses"] != "image")
        if visit["picture"]:
            assert read_image(journal / visit["picture"]).mean() > 20
        if visit["sound"]:
            sound, rate_hz = soundfile.read(journal / visit["sound"])
            assert rate_hz == YAMNET.rate_hz and np.abs(sound).max() > 0.05
            assert len(sound) / rate_hz >= YAMNET.window_s - 0.01


def test_visits_are_listed_as_lines(journal: Path) -> None:
    lines = run("visits", journal, "--last", 2).stdout.splitlines()
    assert ["[audio]  sound" in line for line in lines] == [True, False]
    assert ["[image]  picture" in line for line in lines] == [False, True]
    empty = run("visits", journal, "--since", "2999-01-01")
    assert (empty.exit_code, empty.stdout) == (0, "")
    assert "no matching visits" in empty.stderr
    events = run("visits", journal, "--events").stdout
    assert all(
        words in events
        for words in ("started: model", "camera lost: dark", "microphone lost: silent", "stopped:")
    )
    assert run("visits", journal, "--events", "--last", 2).stdout == "".join(
        events.splitlines(keepends=True)[-2:]
    )


def test_visits_and_events_as_csv(journal: Path, tmp_path: Path) -> None:
    assert run("visits", journal, "--csv", tmp_path / "visits.csv").exit_code == 0
    assert run("visits", journal, "--events", "--csv", tmp_path / "events.csv").exit_code == 0
    with (tmp_path / "visits.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 3
    with (tmp_path / "events.csv").open() as stream:
        assert {"started", "stopped"} <= {row["kind"] for row in csv.DictReader(stream)}


def test_an_export(journal: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    result = run("export-visits", journal, "--format", "audacity", "--output", labels)
    assert result.stdout == f"{labels}: 3 visits\n"
    assert len(labels.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        ("visits MISSING", 1, ["no journal here"]),
        ("visits JOURNAL --since monday", 2, ["--since is 'monday'", "2026-05-01", "or today"]),
        ("export-visits JOURNAL -o OUT --format excel", 2, ["format is 'excel'"]),
        ("export-visits JOURNAL -o OUT --format ebird", 2, ["add --location"]),
        ("export-visits JOURNAL -o OUT --location north", 2, ["--location is 'north'"]),
        ("watch --gap 2,5", 2, ["--gap needs a journal; add --journal DIR"]),
        ("watch --keep-days 3", 2, ["--keep-days needs a journal; add --journal DIR"]),
        ("watch --journal OUT --quiet night", 2, ["add --location"]),
        ("watch --journal OUT --quiet late", 2, ["--quiet is 'late'"]),
        ("watch --quiet 22:00-04:00", 2, ["--quiet needs a journal"]),
        ("watch --keep-voices", 2, ["--keep-voices needs a journal"]),
        (
            "watch --model MODEL --camera none --microphone SOUND --blank 1,2",
            2,
            ["blank is '1,2'; expected X,Y,W,H in pixels"],
        ),
        (
            "watch --model MODEL --camera none --microphone SOUND --journal SOUND",
            1,
            ["no journal can be written here"],
        ),
    ],
)
def test_impossible_requests_are_refused_in_a_sentence(
    arguments: str,
    exit_code: int,
    words: list[str],
    journal: Path,
    scene: Path,
    toy_bundle: Path,
    tmp_path: Path,
) -> None:
    places = {
        "JOURNAL": journal,
        "MISSING": tmp_path / "missing",
        "OUT": tmp_path / "out",
        "MODEL": toy_bundle,
        "SOUND": scene / "scene.wav",
    }
    assert_refused(run(*(places.get(word, word) for word in arguments.split())), exit_code, *words)
    assert not (tmp_path / "out").exists()


def test_history_follows_the_store(
    journal: Path, toy_bundle: Path, scene: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(toy_bundle, tmp_path / "toy.birdfield"))
    copy = Path(shutil.copytree(journal, tmp_path / "journal"))
    seen = script(scene)[0]["species"]
    assert run("species", model, "rename", seen, "Šedivka").exit_code == 0
    times = sum(visit["species"] == seen for visit in script(scene))
    planned = run("rescore", copy, "--model", model, "--dry-run").stdout.splitlines()
    assert planned[-1] == f"{times} visits would have another species"
    assert run("visits", copy, "--species", "Šedivka").stdout == ""
    assert run("rescore", copy, "--model", model).stdout.splitlines()[:-1] == planned[:-1]
    rows = lines_of(run("visits", copy, "--species", "Šedivka", "--json"))
    assert [row["first_species"] for row in rows] == [seen] * times
    assert f"rescored: {times} visits" in run("visits", copy, "--events").stdout


@pytest.mark.slow
def test_a_killed_watch_keeps_its_visits_and_continues(
    toy_bundle: Path, scene: Path, tmp_path: Path
) -> None:
    """The watch is killed after the log of its first visit; by image there are two visits."""
    folder = tmp_path / "journal"
    command: list[str | Path] = [
        PROGRAM,
        "watch",
        "--model",
        toy_bundle,
        "--camera",
        scene / "scene.avi",
        "--microphone",
        "none",
        "--fast",
        "--journal",
        folder,
        "--gap",
        "4",
    ]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as watch:
        assert watch.stderr is not None
        announced = next(line for line in watch.stderr if "visit:" in line)
        watch.send_signal(signal.SIGKILL)
    first = lines_of(run("visits", folder, "--json"))
    assert first and first[0]["species"] in announced
    assert subprocess.run(command, capture_output=True, timeout=120).returncode == 0
    visits = lines_of(run("visits", folder, "--json"))
    assert [visit for visit in visits if visit["session"] == 1] == first
    assert sum(visit["session"] == 2 for visit in visits) == 2
