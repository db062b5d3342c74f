"""Tests of the files and answers of 0.1.0, by the command line alone; see golden/README.md."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parent / "golden"
EXPECTED = GOLDEN / "expected.json"
BUNDLE = "garden.birdfield"
TOLERANCE = 1e-3  # of a score or a similarity
TIMEOUT_S = 120
DURATIONS = re.compile(r"updated -?\d+ s ago")


class Place:
    """A copy of the fixtures and a home folder, for commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "golden"
        shutil.copytree(GOLDEN, self.folder)
        # A checkout may be writable for a group, but a journal and a password may not.
        for path in (self.folder, *self.folder.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
        home = folder / "home"
        shutil.copytree(GOLDEN / "status", home / "run" / "birdfield")
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("BIRDFIELD_", "XDG_", "RUNTIME_DIRECTORY"))
        }
        self.environment = {
            **kept,
            "HOME": str(home),
            "TZ": "UTC",
            "PYTHONUTF8": "1",
            "BIRDFIELD_THREADS": "1",
            **{
                f"XDG_{name.upper()}": str(home / name)
                for name in ("config_home", "data_home", "cache_home")
            },
            "XDG_RUNTIME_DIR": str(home / "run"),
        }

    def run(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
        """Run a command in the folder; return its output, with the folder as HERE."""
        done = subprocess.run(
            [sys.executable, "-m", "birdfield", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        assert done.returncode in codes, f"{arguments}: {done.returncode}\n{done.stderr}"
        return self._without_folder(done.stdout)

    def read(self, name: str) -> str:
        """Return the text of a file that a command wrote, with the folder as HERE."""
        return self._without_folder((self.folder / name).read_text(encoding="utf-8"))

    def _without_folder(self, text: str) -> str:
        for folder in {str(self.folder), str(self.folder.resolve())}:
            text = text.replace(folder, "HERE")
        return text


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def json_lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def text_lines(text: str) -> list[str]:
    return text.splitlines()


def shape(value: Any) -> Any:
    """Return the keys and types of a value, nested; of a list, one entry for each kind."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        kinds = {json.dumps(shape(inner)) for inner in value}
        return [json.loads(kind) for kind in sorted(kinds)]
    return (
        "number"
        if isinstance(value, int | float) and not isinstance(value, bool)
        else (None if value is None else type(value).__name__)
    )


def shape_of(text: str) -> Any:
    return shape(json_lines(text))


def shape_of_one(text: str) -> Any:
    return shape(json.loads(text))


def answers(text: str) -> Any:
    """Return the answers without their times."""
    return [
        {name: value for name, value in entry.items() if name != "time"}
        for entry in json_lines(text)
    ]


def names_of_findings(text: str) -> Any:
    """Return the names and keys of doctor's findings, whose values depend on the machine."""
    return [{"name": entry.get("name"), "keys": sorted(entry)} for entry in json_lines(text)]


def differences(expected: Any, found: Any, where: str = "") -> Iterator[str]:
    """Yield the places where two outputs differ by more than TOLERANCE."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in sorted({*expected, *found}):
            if name not in expected or name not in found:
                yield f"{where}.{name}: {'new' if name in found else 'gone'}"
            else:
                yield from differences(expected[name], found[name], f"{where}.{name}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for place, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differences(one, other, f"{where}[{place}]")
    elif isinstance(expected, float) and isinstance(found, int | float):
        if abs(expected - found) > TOLERANCE:
            yield f"{where}: {expected} -> {found}"
    elif expected != found:
        yield f"{where}: {expected!r} -> {found!r}"


@dataclass(frozen=True)
class Case:
    """A command whose output is compared with the expected one.

    Attributes:
        name: Key of the expected output.
        arguments: Arguments of the command.
        keep: Returns the part of the output that is compared.
        file: The file that the command writes, compared in place of its output.
        codes: The permitted exit codes.
    """

    name: str
    arguments: tuple[str, ...]
    keep: Callable[[str], Any]
    file: str | None = None
    codes: tuple[int, ...] = field(default=(0,))


def case(name: str, line: str, keep: Callable[[str], Any], **more: Any) -> Case:
    return Case(name, tuple(line.split()), keep, **more)


SEEN = [
    f"images/{name}/bird.jpg" for name in ("Copper_Wagtip", "Bramble_Speckle", "Lagoon_Gleamer")
]
HEARD = [
    f"audio/{name}/song.wav" for name in ("Copper_Wagtip", "Bramble_Speckle", "Lagoon_Gleamer")
]
MODEL = f"--model {BUNDLE}"
PLAIN = "--model plain.birdfield"
GONE = (1,)  # the watch that wrote the status has ended
CASES = (
    case("identify", f"identify {' '.join([*SEEN, *HEARD])} {MODEL} --json", answers),
    case(
        "identify the pair",
        f"identify --image {SEEN[2]} --audio {HEARD[2]} {MODEL} --json",
        answers,
    ),
    case("identify windows", f"identify long.ogg {MODEL} --json", answers),
    case("identify pooled", f"identify long.ogg --pooled {MODEL} --json", answers),
    case(
        "identify lines",
        f"identify {SEEN[0]} {HEARD[0]} {MODEL} --lang de --names names.csv",
        text_lines,
    ),
    case(
        "identify csv",
        f"identify {SEEN[0]} {MODEL} --csv answers.csv",
        lambda text: text.splitlines()[0],
        file="answers.csv",
    ),
    case("identify without the store", f"identify {HEARD[2]} {PLAIN} --json", answers),
    case("evaluate", f"evaluate {BUNDLE} images audio --json -", shape_of_one),
    case("info", f"info {BUNDLE} --json", shape_of_one),
    case("info lines", f"info {BUNDLE}", text_lines),
    case("species", f"species {BUNDLE} list --json", json_lines),
    case("species lines", f"species {BUNDLE} list --lang de --names names.csv", text_lines),
    case("species without the store", "species plain.birdfield list --json", json_lines),
    case("visits", "visits journal --json", json_lines),
    case("visits lines", "visits journal --lang de --names names.csv", text_lines),
    case("visits csv", "visits journal --csv rows.csv", text_lines, file="rows.csv"),
    case("undecided visits", "visits journal --species undecided --json", json_lines),
    case("events", "visits journal --events --json", json_lines),
    case("events csv", "visits journal --events --csv rows.csv", text_lines, file="rows.csv"),
    case("report", "report journal", text_lines),
    case("export csv", "export-visits journal -o rows", text_lines, file="rows"),
    case(
        "export ebird",
        "export-visits journal --format ebird --location 52.5,13.4,Garden -o rows",
        text_lines,
        file="rows",
    ),
    case(
        "export raven",
        "export-visits journal --format raven --session 1 -o rows",
        text_lines,
        file="rows",
    ),
    case(
        "export audacity",
        "export-visits journal --format audacity --session 2 -o rows",
        text_lines,
        file="rows",
    ),
    case("rescore", f"rescore journal {MODEL} --dry-run", text_lines),
    case("status", "status --json", json_lines, codes=GONE),
    case(
        "status lines",
        "status",
        lambda text: DURATIONS.sub("updated", text).splitlines(),
        codes=GONE,
    ),
    case("config check", "config check birdfield.toml", text_lines),
    case("config show", "config show birdfield.toml", text_lines),
    case(
        "doctor",
        f"doctor {MODEL} --camera scene.avi --microphone scene.ogg --json",
        names_of_findings,
        codes=(0, 1),
    ),
    case(
        "watch", f"watch {MODEL} --camera scene.avi --microphone scene.ogg --fast --json", answers
    ),
    case(
        "watch by the configuration",
        "watch --config birdfield.toml --camera scene.avi "
        "--microphone scene.ogg --journal new --fast --json",
        shape_of,
    ),
)


def answer(place: Place, case: Case) -> Any:
    """Run a case; return the part of its output that is compared."""
    plain = place.folder / "plain.birdfield"  # the same bundle without a store beside it
    if "plain" in " ".join(case.arguments) and not plain.exists():
        shutil.copytree(place.folder / BUNDLE, plain)
    printed = place.run(*case.arguments, codes=case.codes)
    return case.keep(place.read(case.file) if case.file else printed)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_command_has_the_expected_output(place: Place, case: Case) -> None:
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))[case.name]
    found = json.loads(json.dumps(answer(place, case)))
    assert not list(differences(expected, found))


def species_of(place: Place) -> list[str | None]:
    return [entry["species"] for entry in json_lines(place.run("visits", "journal", "--json"))]


@pytest.mark.slow
def test_a_watch_continues_the_journal(place: Place) -> None:
    before = place.run("visits", "journal", "--json")
    place.run(
        "watch",
        "--model",
        BUNDLE,
        "--camera",
        "scene.avi",
        "--microphone",
        "scene.ogg",
        "--fast",
        "--journal",
        "journal",
    )
    *old, new = place.run("visits", "journal", "--json").splitlines(keepends=True)
    assert "".join(old) == before
    assert json.loads(new)["species"] == "Copper Wagtip" and json.loads(new)["mark"] is None
    assert (place.folder / "journal" / json.loads(new)["picture"]).stat().st_size > 1000


@pytest.mark.slow
def test_rescoring_writes_what_the_dry_run_prints(place: Place) -> None:
    before, dry = species_of(place), place.run("rescore", "journal", "--model", BUNDLE, "--dry-run")
    assert species_of(place) == before
    printed = place.run("rescore", "journal", "--model", BUNDLE).splitlines()
    assert printed[:-1] == dry.splitlines()[:-1] and len(printed) > 1
    changed = {
        int(line.split()[1].rstrip(":")): line.split(" -> ")[1].rpartition(" ")[0]
        for line in printed[:-1]
    }
    assert species_of(place) == [
        {"unknown": None}.get(new, new) if (new := changed.get(number)) else old
        for number, old in enumerate(before, 1)
    ]


@pytest.mark.slow
def test_the_store_can_be_changed(place: Place) -> None:
    def labels() -> set[str]:
        return {
            entry["label"] for entry in json_lines(place.run("species", BUNDLE, "list", "--json"))
        }

    before = labels()
    place.run("species", BUNDLE, "remove", "Lagoon Gleamer")
    place.run("species", BUNDLE, "rename", "Osier Trillet", "Reed Trillet")
    assert labels() == before - {"Lagoon Gleamer", "Osier Trillet"} | {"Reed Trillet"}
    place.run("enrol", BUNDLE, "Lagoon Gleamer", SEEN[2], HEARD[2])
    assert "Lagoon Gleamer" in labels()


def test_each_expected_output_has_its_case() -> None:
    assert [*json.loads(EXPECTED.read_text(encoding="utf-8"))] == [case.name for case in CASES]
