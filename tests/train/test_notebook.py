from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed: group dev")

pytestmark = pytest.mark.train

NOTEBOOK = Path(__file__).parents[2] / "train" / "train.ipynb"

# Replaces VGG16 by a tiny base, trains fewer folds and epochs, and converts without a process of
# its own. The cells themselves are unchanged.
SHORTCUT = f"""
import functools
import sys

sys.path.insert(0, {str(Path(__file__).parents[1] / "support")!r})
import pytest
import tensorflow
from tiny_training import quicken

from birdfield_export import convert, pack
from birdfield_train import config
from birdfield_train.selection import Grid

quicken(pytest.MonkeyPatch())
tensorflow.config.run_functions_eagerly(False)
config.TrainConfig = functools.partial(config.TrainConfig, grid=Grid(folds=2, epochs=(1,)))
pack.convert = lambda run, precisions, folder: convert._main(
    str(run), str(folder), *map("=".join, precisions.items()))
"""


def cells(notebook: Any, kind: str) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def text_of(cell: Any) -> str:
    return "".join(
        output.get("text", "")
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stdout"
    )


def test_the_notebook_has_text_and_no_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, 4)
    nbformat.validate(notebook)
    assert all(
        not cell.outputs and cell.execution_count is None for cell in cells(notebook, "code")
    )
    assert len(cells(notebook, "code")) >= 5 and len(cells(notebook, "markdown")) >= 5


@pytest.fixture
def few(toy_data: Path, tmp_path: Path) -> Path:
    """Three of the toy species, with the last two files of each as test files."""
    for place in sorted(toy_data.glob("*/*"))[::2]:
        files = sorted(place.iterdir())
        for part, own in (("train", files[:-2]), ("test", files[-2:])):
            folder = tmp_path / "data" / part / place.relative_to(toy_data)
            folder.mkdir(parents=True)
            for path in own:
                (folder / path.name).symlink_to(path)
    return tmp_path / "data"


def execute(data: Path, out: Path, monkeypatch: pytest.MonkeyPatch, first: str = "") -> Any:
    """Run the notebook in a kernel of its own; return it with its outputs."""
    pytest.importorskip("ipykernel", reason="ipykernel is not installed: group dev")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: group dev")
    monkeypatch.setenv("BIRDFIELD_NOTEBOOK_DATA", str(data))
    monkeypatch.setenv("BIRDFIELD_NOTEBOOK_OUT", str(out))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    notebook = nbformat.read(NOTEBOOK, 4)
    if first:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(first))
    out.mkdir()
    nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(out)}}
    ).execute()
    return notebook


def check(notebook: Any, data: Path, out: Path) -> str:
    """Check the output of the cells; return the answer of the last one."""
    trained, pictures, evaluated, exported, identified = (
        cell for cell in cells(notebook, "code")[-5:]
    )
    assert "final, epoch 1 of " in text_of(trained)
    assert [list(output.data)[0] for output in pictures.outputs] == ["image/png"] * 2
    assert "3 species tested, 3 in the gallery" in text_of(evaluated)
    assert "image tower at int8: cosine" in text_of(exported)
    assert (out / "birds.birdfield" / "manifest.json").exists()
    label = min((data / "test" / "images").iterdir()).name
    assert text_of(identified).startswith(f"{label} is identified as:\n")
    return text_of(identified).splitlines()[1]


def test_the_notebook_trains_evaluates_exports_and_identifies(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = check(execute(few, tmp_path / "out", monkeypatch, SHORTCUT), few, tmp_path / "out")
    assert "[image]" in answer


@pytest.mark.real
def test_the_notebook_recognises_a_toy_bird_with_vgg16(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = check(execute(few, tmp_path / "out", monkeypatch), few, tmp_path / "out")
    label = min((few / "test" / "images").iterdir()).name.replace("_", " ")
    assert f"[image]  {label} " in answer
