"""Fixtures of the tiny runs, which take seconds instead of minutes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def quick() -> Iterator[None]:
    """Train and open tiny runs in this module."""
    tensorflow = pytest.importorskip(
        "tensorflow", reason="TensorFlow is not installed: birdfield[train]"
    )
    from tiny_training import quicken

    with pytest.MonkeyPatch.context() as patch:
        quicken(patch)
        yield
    tensorflow.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def whole(quick: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without an interruption; read only."""
    from tiny_training import tiny_run

    return tiny_run(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def data(whole: Path) -> Path:
    """Three species, each with 4 photographs and 3 recordings; read only."""
    return whole.parents[1] / "data"


@pytest.fixture
def cached(_own_home: None, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the cache of the run `whole`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(whole.parents[1] / "cache"))


@pytest.fixture
def own_data(data: Path, tmp_path: Path) -> Path:
    """A copy of the data that a test may change."""
    return Path(shutil.copytree(data, tmp_path / "data"))
