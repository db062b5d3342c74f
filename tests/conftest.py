import os
import shutil
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, TypeVar

import pytest
from fakes import make_bundle
from journal_rows import DAWN, Opener

import birdfield  # noqa: F401 - first, since it sets what OpenCV reads when it is loaded
from birdfield.journal.database import Journal
from birdfield.journal.entries import SessionEntry
from birdfield.journal.opening import open_journal

GOLDEN = Path(__file__).parent / "golden"
# Files of tests that take longest, after those on real data.
LONG = ("test_exported_bundle.py", "test_notebook.py", "test_pipeline.py", "test_convert.py")
REQUIRE = os.environ.get("BIRDFIELD_REQUIRE") == "1"  # a skip is a failure
DATA = os.environ.get("BIRDFIELD_DATA")  # the development data, for tests marked `real`

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)
not_run = pytest.StashKey[int]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests on real data where there is none; start with the files that train.

    Two workers share the files one by one: the longest come first.
    """
    items.sort(key=_start_order)
    real = [] if DATA else [item for item in items if item.get_closest_marker("real")]
    config.stash[not_run] = len(real)
    if real:
        config.hook.pytest_deselected(items=real)
        items[:] = [item for item in items if item not in real]


def _start_order(item: pytest.Item) -> int:
    if item.get_closest_marker("real"):
        return 0
    return 1 if item.path.name in LONG else 2


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that skips where everything is expected to be installed."""
    return _required((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a module that skips there."""
    return _required((yield))


def _required(report: Report) -> Report:
    if REQUIRE and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but BIRDFIELD_REQUIRE=1: {_reason(report)}"
    return report


def _reason(report: Any) -> str:
    longrepr = report.longrepr
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return str(text).removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what was not tested, and why."""
    for reason, count in Counter(map(_reason, terminalreporter.stats.get("skipped", ()))).items():
        terminalreporter.write_line(f"skipped: {count} tests: {reason}")
    if config.stash.get(not_run, 0):
        terminalreporter.write_line(
            f"not run: {config.stash[not_run]} real tests; set BIRDFIELD_DATA to the data folder"
        )


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from the user's home, caches and model."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.delenv("BIRDFIELD_MODEL", raising=False)


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """A bundle that has species, and towers that cannot run."""
    return make_bundle(tmp_path / "fake.birdfield").folder


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Return a function that opens a journal, which closes after the test."""
    with ExitStack() as stack:
        yield lambda how, folder: stack.enter_context(closing(how(folder)))


@pytest.fixture
def journal(tmp_path: Path, opened: Opener) -> Journal:
    """Return a new journal, open for writing, with a session."""
    journal = opened(open_journal, tmp_path / "journal")
    journal.start_session(SessionEntry("a1b2", DAWN, camera="cam", microphone="mic", boot="boot1"))
    return journal


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six invented species, 8 photographs and 4 recordings (8 clips) each; read only."""
    from birdfield_train.toy_aviary import write_dataset

    folder = tmp_path_factory.mktemp("toy_data")
    write_dataset(folder, photographs=8, recordings=4)
    return folder


@pytest.fixture(scope="session")
def toy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The XDG_CACHE_HOME that has the frozen parts' outputs for `toy_data`, after `toy_run`."""
    return tmp_path_factory.mktemp("toy_cache")


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory: pytest.TempPathFactory, toy_data: Path, toy_cache: Path) -> Path:
    """A finished run on `toy_data`, with fewer folds, steps and pictures; read only."""
    tensorflow = pytest.importorskip(
        "tensorflow", reason="TensorFlow is not installed: birdfield[train]"
    )
    from birdfield_train.config import Reporter, TrainConfig
    from birdfield_train.fit import FitConfig
    from birdfield_train.pipeline import train
    from birdfield_train.selection import Grid

    run = tmp_path_factory.mktemp("toy") / "run"
    config = TrainConfig(
        toy_data / "images",
        toy_data / "audio",
        run,
        fit=FitConfig(steps=4),
        grid=Grid(folds=2, epochs=(1, 2)),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(toy_cache))
        patch.setattr("birdfield_train.calibration_data.PICTURES", 6)
        patch.setattr("birdfield_train.background_data.COUNT", 6)
        # Four steps a fit are less work than tracing their graph.
        tensorflow.config.run_functions_eagerly(True)
        train(config, Reporter(lambda *_: None, lambda *_: None, print))
        tensorflow.config.run_functions_eagerly(False)
    return run


@pytest.fixture(scope="session")
def exported_bundle(toy_run: Path) -> Path:
    """The bundle exported from `toy_run`; read only: a test that changes it copies it."""
    from birdfield_export.pack import export

    return export(toy_run, toy_run.with_name("toy.birdfield"), say=print)


@pytest.fixture(scope="session")
def toy_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of five toy species with tiny towers, which needs no training; read only."""
    folder = tmp_path_factory.mktemp("bundle")
    return Path(shutil.copytree(GOLDEN / "garden.birdfield", folder / "toy.birdfield"))
