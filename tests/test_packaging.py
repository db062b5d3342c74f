"""Tests of the package: its dependencies, its scripts, and the files of the repository."""

import ast
import importlib
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import birdfield
from birdfield.model.tflite import RUNTIMES

ROOT = Path(birdfield.__file__).resolve().parents[1]
CODE = ("birdfield", "train", "export")
# The import name of a distribution, where it differs from the distribution's name.
IMPORTED_AS = {
    "opencv-python-headless": "cv2",
    "ai-edge-litert": "ai_edge_litert",
    "tflite-runtime": "tflite_runtime",
    "tensorflow-hub": "tensorflow_hub",
    "scikit-learn": "sklearn",
}
# tensorflow-hub imports pkg_resources, which only an older setuptools has; birdfield does not.
EXEMPT = {"setuptools"}
REGISTRIES = "|".join(
    re.escape(f"{name}.{end}")
    for name, end in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("piwheels", "org"),
        ("anaconda", "org"),
        ("registry.npmjs", "org"),
        ("crates", "io"),
    )
)


@cache
def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


def requirements() -> list[tuple[str, str]]:
    """Return pairs of extra and distribution; the extra of the base install is "base"."""
    declared = {"base": project()["dependencies"], **project()["optional-dependencies"]}
    return [
        (extra, re.split(r"[^A-Za-z0-9._-]", line)[0])
        for extra, lines in declared.items()
        for line in lines
    ]


@cache
def imports() -> frozenset[str]:
    """Return the top-level names that the code imports, in files and in notebooks."""
    names = set(RUNTIMES.values())
    for folder in CODE:
        for path in (ROOT / folder).rglob("*.py"):
            names |= imported_by(path.read_text(encoding="utf-8"))
        for path in (ROOT / folder).rglob("*.ipynb"):
            for cell in json.loads(path.read_bytes())["cells"]:
                if cell["cell_type"] == "code":
                    names |= imported_by("".join(cell["source"]))
    return frozenset(name.split(".")[0] for name in names)


def imported_by(code: str) -> set[str]:
    """Return the names in `import a`, `from a import b`, `import_module("a")`, `find_spec("a")`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("import_module", "find_spec")
            and isinstance(node.args[0], ast.Constant)
        ):
            names.add(str(node.args[0].value))
    return names


@pytest.mark.parametrize(("extra", "distribution"), requirements())
def test_every_declared_dependency_is_imported_somewhere(extra: str, distribution: str) -> None:
    if distribution in EXEMPT:
        assert extra == "train"
        return
    assert IMPORTED_AS.get(distribution, distribution) in imports()


def test_every_import_is_declared() -> None:
    declared = {IMPORTED_AS.get(name, name) for _, name in requirements()}
    own = {"birdfield", "birdfield_train", "birdfield_export"}
    bundled = {"keras", "IPython"}  # come with tensorflow, and with a notebook's kernel
    system = {"picamera2"}  # only apt has it
    assert imports() - declared - own - bundled - system <= set(sys.stdlib_module_names)


def test_the_base_install_is_the_documented_one() -> None:
    assert {name for extra, name in requirements() if extra == "base"} == {
        "numpy",
        "opencv-python-headless",
        "soundfile",
        "soxr",
        "sounddevice",
        "ai-edge-litert",
        "typer",
        "rich",
    }


def test_the_lower_bounds_permit_the_older_runtime() -> None:
    """tflite-runtime 2.14 needs NumPy below 2, and OpenCV 4.11 is the last that permits it."""
    base = project()["dependencies"]
    assert "numpy>=1.26" in base and "opencv-python-headless>=4.11" in base


@pytest.mark.parametrize("name", project()["scripts"])
def test_every_console_script_loads(name: str) -> None:
    module, _, function = project()["scripts"][name].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("no git repository: a source distribution lists no tracked files")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_committed_file_names_a_registrys_host() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0].decode()}"
        for path in tracked()
        if (match := re.search(REGISTRIES.encode(), path.read_bytes()))
    ]
    assert not found


def test_no_build_output_is_committed() -> None:
    assert not [path for path in tracked() if {"__pycache__", "dist", "build"} & set(path.parts)]


@pytest.mark.parametrize("name", ["birdfield", "train/birdfield_train", "export/birdfield_export"])
def test_every_package_is_marked_as_typed(name: str) -> None:
    assert (ROOT / name / "py.typed").is_file()


@pytest.mark.parametrize(
    "name",
    ["birdfield/weights/yamnet.tflite", "train/birdfield_train/weights/vgg16_imagenet_int8.npz"],
)
def test_the_weights_are_in_the_package(name: str) -> None:
    assert (ROOT / name).stat().st_size > 10_000_000
