"""The scripts of the decision records: each one imports, so that its record can be repeated."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
IMPORT_ALL = """
import runpy, sys
from pathlib import Path
path = list(sys.path)
for script in sorted(Path(sys.argv[1]).glob("*/*.py")):
    sys.path[:] = [str(script.parent), *path]
    runpy.run_path(str(script), run_name=script.stem)
    print(script.name)
"""


@pytest.mark.train
def test_each_script_imports() -> None:
    """In one process, because TensorFlow takes seconds to import."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IMPORT_ALL, EXPERIMENTS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(done.stdout.splitlines()) == len([*EXPERIMENTS.glob("*/*.py")])


def test_each_constant_that_0018_varies_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXPERIMENTS / "0018"))
    experiment = importlib.import_module("visits")
    names = {name for choice in experiment.CHOICES.values() for name in choice}
    assert names and all(hasattr(experiment.module_of(name), name) for name in names)
