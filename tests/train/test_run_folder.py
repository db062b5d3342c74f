import fcntl
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

from command_line import run as run_command
from tiny_training import SILENT, assert_same_run, interrupt, make_config, tiny_backbone

from birdfield.errors import ExistsError, InputError
from birdfield.model.audio_specs import BIRDNET
from birdfield_train import inputs, pipeline, run_folder
from birdfield_train.config import Reporter
from birdfield_train.history import History
from birdfield_train.pipeline import train
from birdfield_train.run_folder import RunConflict

pytest_plugins = ["tiny_runs"]
pytestmark = [pytest.mark.train, pytest.mark.usefixtures("quick", "cached")]


def test_a_killed_run_that_is_interrupted_twice_more_ends_with_the_same_bits(
    whole: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kill comes after one of 3 files per fold, at random.

    The interruptions come before a line of the history, and before the pictures.
    """
    run = tmp_path / "run"
    config = make_config(data, run)
    partial = tmp_path / "run.partial"
    files = random.SystemRandom().randint(1, 6)  # training seeds the usual generator
    script = Path(__file__).parents[1] / "support" / "tiny_training.py"
    process = subprocess.Popen(
        [sys.executable, str(script), str(data), str(run)], stderr=subprocess.DEVNULL
    )
    while process.poll() is None and len(list(partial.glob("checkpoints/*.npz"))) < files:
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -9, "the run was complete before it was killed"
    print(f"killed after {files} checkpoint files")
    assert not run.exists()
    with pytest.raises(
        RunConflict,
        match="run.partial belongs to an interrupted run; resume the run or start again$",
    ) as caught:
        train(config, SILENT)
    assert caught.value.remedies == ("resume", "force")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(History, "add", interrupt)
        train(config, SILENT, resume=True)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pipeline, "draw_curves", interrupt)
        train(config, SILENT, resume=True)
    (partial / ".heads.npz.half").write_bytes(b"an incomplete file")
    train(config, SILENT, resume=True)
    assert_same_run(run, whole)
    assert {path.name for path in run.iterdir()} == {path.name for path in whole.iterdir()}
    assert not partial.exists()


@pytest.fixture
def interrupted(data: Path, tmp_path: Path) -> Path:
    """The partial folder of `run`, which was interrupted after its first epoch."""
    reporter = Reporter(SILENT.step, interrupt, SILENT.say)
    with pytest.raises(KeyboardInterrupt):
        train(make_config(data, tmp_path / "run"), reporter)
    return tmp_path / "run.partial"


def test_a_run_is_not_resumed_with_other_options(
    interrupted: Path, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        RunConflict,
        match="was started with other options; use the same options or start again$",
    ) as caught:
        train(make_config(data, tmp_path / "run", seed=1), SILENT, resume=True)
    assert caught.value.remedies == ("force",)


def test_an_early_run_with_birdnet_has_another_fingerprint(data: Path, tmp_path: Path) -> None:
    """BirdNET's embeddings had no class projection, which YAMNet's do not have either."""
    config = make_config(data, tmp_path / "run")
    assert "evidence" not in config.fingerprint()
    assert replace(config, frontend="birdnet").fingerprint()["evidence"] == BIRDNET.class_dim


def test_a_run_is_not_resumed_on_other_data(own_data: Path, tmp_path: Path) -> None:
    config = make_config(own_data, tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        train(config, Reporter(SILENT.step, interrupt, SILENT.say))
    (own_data / "images" / "Robin" / "0.png").unlink()
    with pytest.raises(
        RunConflict,
        match="run.partial: the data or the weights changed after this run was started; ",
    ):
        train(config, SILENT, resume=True)


def test_a_run_is_not_resumed_with_other_weights_of_the_same_name(
    own_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(own_data, tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        train(config, Reporter(SILENT.step, interrupt, SILENT.say))
    monkeypatch.setattr(
        inputs, "get_backbone", lambda *name: replace(tiny_backbone(*name), key="tiny-changed")
    )
    with pytest.raises(RunConflict, match="the data or the weights changed after"):
        train(config, SILENT, resume=True)


@pytest.mark.parametrize("flags", [{}, {"resume": True}, {"force": True}])
def test_a_second_training_of_one_run_is_refused(
    interrupted: Path, data: Path, tmp_path: Path, flags: dict[str, bool]
) -> None:
    """The test holds the lock, as the first training does."""
    before = sorted(interrupted.rglob("*"))
    with (interrupted / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(
            InputError,
            match="run.partial: another process is training this run; "
            "wait for it or choose another name",
        ):
            train(make_config(data, tmp_path / "run"), SILENT, **flags)
    assert sorted(interrupted.rglob("*")) == before


def test_an_existing_run_is_refused_or_complete_or_replaced(
    whole: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    config = make_config(data, run, seed=3)
    with pytest.raises(ExistsError, match="run exists already; choose another name$"):
        train(config, SILENT)
    lines: list[str] = []
    train(config, Reporter(SILENT.step, SILENT.epoch, lines.append), resume=True)
    assert lines == [f"{run} is complete; nothing is left to do"]
    assert_same_run(run, whole)
    (tmp_path / "run.partial").mkdir()
    (tmp_path / "run.partial" / "old").touch()
    monkeypatch.setattr(pipeline, "_train_into", lambda folder, *_: (folder / "new").touch())
    train(config, SILENT, force=True)
    assert {path.name for path in run.iterdir()} == {"new", "yamnet.tflite"}
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_replacement_is_not_forgotten_when_the_complete_run_is_resumed(
    whole: Path, data: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    config = make_config(data, run)
    with pytest.raises(KeyboardInterrupt):
        train(config, Reporter(SILENT.step, interrupt, SILENT.say), force=True)
    with pytest.raises(
        InputError,
        match="run is complete, and .*run.partial belongs to an interrupted run that "
        "was to replace it; move .*run away to resume that run",
    ):
        train(config, SILENT, resume=True)
    run.rename(tmp_path / "old")
    train(config, SILENT, resume=True)
    assert_same_run(run, whole)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_only_a_run_is_replaced(tmp_path: Path, data: Path, kind: str) -> None:
    mine = tmp_path / "mine"
    if kind == "folder":
        mine.mkdir()
    kept = mine / "notes.txt" if kind == "folder" else mine
    kept.write_text("a season's notes")
    with pytest.raises(
        InputError,
        match="mine exists already and is not a run, so it is never replaced; choose another name",
    ):
        train(make_config(data, mine), SILENT, force=True)
    assert kept.read_text() == "a season's notes" and list(tmp_path.iterdir()) == [mine]


@pytest.mark.parametrize("option", ["resume", "force"])
def test_the_working_folder_cannot_become_a_run(
    tmp_path: Path, data: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name of the partial folder is made from that of the run, and `.` has no name."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(
        InputError,
        match=r"^\.: the working folder cannot become a run; choose a name inside the folder",
    ):
        train(make_config(data, Path()), SILENT, **{option: True})


@pytest.mark.parametrize("moment", range(4))
def test_a_kill_during_a_replacement_leaves_a_complete_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """There are four steps, and a kill at any of them is repaired by the next run.

    The leavings of another kill are removed, the old run is renamed, the new one is renamed, and
    the old one is removed. A kill during a removal leaves half of the files.
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
        run_folder._replace(partial, run)
    assert any((folder / "a").exists() and (folder / "b").exists() for folder in (run, old))
    partial.mkdir(exist_ok=True)
    (partial / "next").touch()
    run_folder._replace(partial, run)
    assert os.listdir(tmp_path) == ["run"] and (run / "next").exists()


def test_the_command_names_the_options_that_help(data: Path, tmp_path: Path) -> None:
    arguments = ("train", data / "images", data / "audio", "-o", tmp_path / "run")
    (tmp_path / "run.partial").mkdir()
    result = run_command(*arguments)
    assert result.exit_code == 1
    assert result.stderr.endswith("resume the run or start again (--resume, --force)\n")
    (tmp_path / "run.partial").rename(tmp_path / "run")
    result = run_command(*arguments)
    assert result.exit_code == 1
    assert result.stderr.endswith("run exists already; choose another name or add --force\n")
