"""Tests of the two wheels of one tree: with the starter model and without it."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import birdfield

ROOT = Path(birdfield.__file__).resolve().parents[1]
MAX_WHEEL = 60_000_000  # bytes
STARTER_FILES = {
    "birdfield/starter/manifest.json",
    "birdfield/starter/LICENSE",
    "birdfield/starter/MODEL_CARD.md",
    "birdfield/starter/image.tflite",
}
PARTS = (
    "birdfield",
    "train/birdfield_train",
    "export/birdfield_export",
    "pyproject.toml",
    "hatch_build.py",
    "README.md",
    "LICENSE",
    "NOTICE",
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packaged files, with a placeholder as starter."""
    pytest.importorskip("hatchling", reason="hatchling is not installed: it builds the package")
    folder = tmp_path_factory.mktemp("tree")
    for part in PARTS:
        (folder / part).parent.mkdir(exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(
                ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "starter")
            )
        else:
            shutil.copy(ROOT / part, folder / part)
    for name in STARTER_FILES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("{}")
    return folder


def build(tree: Path, out: Path, **variables: str) -> tuple[set[str], str, int]:
    """Build a wheel; return the names in it, its METADATA, and its size in bytes."""
    environment = {key: value for key, value in os.environ.items() if key != "BIRDFIELD_NO_STARTER"}
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=tree,
        env={**environment, **variables},
        check=True,
        capture_output=True,
    )
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        return names, archive.read(metadata).decode(), wheel.stat().st_size


@pytest.mark.slow
def test_a_wheel_contains_the_starter_and_names_its_licence(tree: Path, tmp_path: Path) -> None:
    names, metadata, size = build(tree, tmp_path)
    assert names >= STARTER_FILES and size < MAX_WHEEL
    assert (
        "License-Expression: MIT AND Apache-2.0 AND CC-BY-4.0 AND LicenseRef-birdfield-starter"
        in metadata.splitlines()
    )
    assert "License-File: birdfield/starter/LICENSE" in metadata.splitlines()


@pytest.mark.slow
def test_a_wheel_without_the_starter_has_all_other_files(tree: Path, tmp_path: Path) -> None:
    names, metadata, size = build(tree, tmp_path, BIRDFIELD_NO_STARTER="1")
    assert not [name for name in names if "starter" in name] and size < MAX_WHEEL
    assert {
        "birdfield/weights/yamnet.tflite",
        "birdfield/commands/app.py",
        "birdfield_train/pipeline.py",
        "birdfield_export/pack.py",
    } <= names
    assert "License-Expression: MIT AND Apache-2.0 AND CC-BY-4.0" in metadata.splitlines()
    files = [line for line in metadata.splitlines() if line.startswith("License-File: ")]
    assert files == ["License-File: LICENSE", "License-File: NOTICE"]
