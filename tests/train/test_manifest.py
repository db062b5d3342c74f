import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

from tiny_training import COLOURS, SPEC

from birdfield.commands.workstation import open_run
from birdfield.errors import InputError
from birdfield.model.audio_specs import BIRDNET, YAMNET
from birdfield.model.calibration import Calibration
from birdfield.model.sense import Sense
from birdfield_export.pack import export
from birdfield_train.fit import FitConfig
from birdfield_train.manifest import (
    FILES,
    FORMAT,
    DataCounts,
    FitRecord,
    FrontendId,
    RunManifest,
    read_manifest,
)
from birdfield_train.run_encoder import Run

pytest_plugins = ["tiny_runs"]
pytestmark = [pytest.mark.train, pytest.mark.usefixtures("quick")]

MANIFEST = RunManifest(
    image_backbone="tiny",
    backbone_key="tiny-1",
    own_image_weights=False,
    image=SPEC,
    channels=6,
    frontend=FrontendId("yamnet", "0" * 64),
    audio=YAMNET,
    calibration=Calibration((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), 0.7),
    seed=3,
    fit=FitRecord(FitConfig(steps=4), epochs=2, gain=0.45),
    data=DataCounts(species=3, photographs=12, recordings=9, skipped=1),
    senses=Sense.IMAGE,
    data_licence=None,
    licences=("weights: none",),
)


def write(folder: Path, entry: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps(entry))
    return folder


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_manifest(write(tmp_path / "run", MANIFEST.to_json())) == MANIFEST


def test_a_run_of_an_early_version_has_both_senses_and_no_licence_of_its_data(
    tmp_path: Path,
) -> None:
    entry = MANIFEST.to_json()
    del entry["senses"], entry["data_licence"], entry["audio"]
    expected = replace(MANIFEST, senses=Sense.BOTH)
    assert read_manifest(write(tmp_path / "run", entry)) == expected


def test_an_early_run_with_birdnet_is_refused(tmp_path: Path) -> None:
    """It has no entry of the frontend, whose embeddings had no class projection."""
    manifest = replace(MANIFEST, frontend=FrontendId("birdnet", "0" * 64), audio=BIRDNET)
    entry = manifest.to_json()
    assert read_manifest(write(tmp_path / "run", entry)) == manifest
    del entry["audio"]
    with pytest.raises(
        InputError,
        match="run: birdnet in this version of birdfield computes other embeddings than the run "
        "was trained on; train it again",
    ):
        read_manifest(write(tmp_path / "run", entry))


def test_a_folder_that_is_not_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a complete run .*; expected a folder that training"):
        Run(tmp_path)
    for entry, found in (({"format": 9}, "9"), ({}, "None"), ([], "None")):
        with pytest.raises(InputError, match=f"run format {found}, expected 3; train it again"):
            Run(write(tmp_path / "run", entry))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("image", {"size_px": 0, "order": "RGB", "mean": [0, 0, 0], "scale": 1}),
        ("frontend", {"name": "perch", "sha256": "0"}),
        ("fit", {"epochs": 2}),
        ("data", None),
        ("senses", "smell"),
        ("licences", 5),
    ],
)
def test_a_malformed_manifest_is_refused(tmp_path: Path, key: str, value: object) -> None:
    entry = {**MANIFEST.to_json(), key: value}
    with pytest.raises(InputError, match="run.json: malformed .*; train the run again") as caught:
        read_manifest(write(tmp_path / "run", entry))
    assert "\n" not in str(caught.value)


def test_the_manifest_of_a_run_has_the_format_of_0_1_0(whole: Path) -> None:
    entry = json.loads((whole / "run.json").read_text())
    assert FORMAT == 3 and list(entry) == list(MANIFEST.to_json())
    assert list(entry["fit"]) == list(MANIFEST.fit.to_json())


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_damaged_file_of_a_run_is_named(
    whole: Path, tmp_path: Path, name: str
) -> None:
    """Missing, empty, half, without its last byte, or with zeros in its middle."""
    path = Path(shutil.copytree(whole, tmp_path / "run")) / name
    content = path.read_bytes()
    half = len(content) // 2
    damaged = [None, b"", content[:half], content[:-1]]
    if path.suffix == ".npz":
        damaged.append(content[:half] + bytes(4_000) + content[half + 4_000 :])
    for remaining in damaged:
        path.unlink()
        if remaining is not None:
            path.write_bytes(remaining)
        with pytest.raises(InputError) as caught:
            open_run(tmp_path / "run")
        assert str(caught.value).startswith(f"{path}: cannot be read (")
        assert str(caught.value).endswith("); the run is damaged, so train it again")
        assert str(path) not in str(caught.value)[1:] and "\n" not in str(caught.value)
        with pytest.raises(InputError, match=f"^{path}: cannot be read "):
            export(tmp_path / "run", tmp_path / "out.birdfield")
        path.write_bytes(content)
    assert open_run(tmp_path / "run")[1].labels == tuple(COLOURS)
