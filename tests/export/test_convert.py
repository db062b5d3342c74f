import shutil
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

import tensorflow as tf
from operators import assert_built_in, operators
from tiny_training import quicken, tiny_run

from birdfield.errors import ExistsError, InputError, UsageError
from birdfield.model.audio_specs import YAMNET
from birdfield.model.bundle import FILES, MANIFEST, YAMNET_FILE, load_bundle
from birdfield.model.tflite import TfliteModel
from birdfield_export import pack
from birdfield_export.convert import (
    PRECISIONS,
    TOWERS,
    _representative,
    convert,
    convert_here,
)
from birdfield_export.pack import ExportConfig, export
from birdfield_export.tower_inputs import tower_inputs
from birdfield_export.verify import Parity, verify
from birdfield_train.run_encoder import Run

# The converter calibrates with tf.lite.Interpreter; the runtime uses LiteRT's.
pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings(r"ignore:\s+Warning. tf.lite.Interpreter is deprecated:UserWarning"),
]

Kinds = dict[tuple[str, str], Path]  # by tower and precision
FLOAT = ExportConfig("float")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of a tiny base, whose towers are converted quickly."""
    with pytest.MonkeyPatch.context() as patch:
        quicken(patch)
        run = Run(tiny_run(tmp_path_factory.getbasetemp()))
        assert run.backbone and run.heads  # built while the tiny base is known
    tf.config.run_functions_eagerly(False)
    return run


@pytest.fixture
def _exported(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `export` open this run, because only this module knows its base."""
    monkeypatch.setattr(pack, "Run", lambda folder: run)


@pytest.fixture(scope="module")
def converted(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Kinds:
    """Each tower at each precision."""
    folder = tmp_path_factory.mktemp("converted")
    paths = {}
    for tower in TOWERS:
        for precision in PRECISIONS:
            path = folder / f"{tower}-{precision}.tflite"
            path.write_bytes(convert_here(run, tower, precision))
            paths[tower, precision] = path
    return paths


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("tower", TOWERS)
def test_a_tower_at_each_precision_runs_on_built_in_operators(
    run: Run, converted: Kinds, tower: str, precision: str
) -> None:
    path = converted[tower, precision]
    assert_built_in(path)
    model = TfliteModel(path)
    inputs = tower_inputs(run, tower)
    assert model.inputs == {name: values.shape[1:] for name, values in inputs.items()}
    for row in (0, -1):
        embedding = model({name: values[row] for name, values in inputs.items()})["embedding"]
        assert embedding.shape == (1, 128) and np.isfinite(embedding).all()
        assert np.abs(embedding).max() > 0


def test_float_is_exact_and_coarser_precisions_are_close(run: Run, converted: Kinds) -> None:
    least = {"float": 0.99999, "dynamic": 0.98, "int8": 0.9}
    for (tower, precision), path in converted.items():
        parity = verify(run, tower, precision, path)
        assert parity.min_cosine > least[precision], (tower, parity)
        assert parity.mean_cosine >= parity.min_cosine - 1e-6
        assert parity.size_bytes == path.stat().st_size


def test_a_coarser_tower_is_a_smaller_file(converted: Kinds) -> None:
    """The audio tower is mostly kernels, with 1 byte per weight instead of 4."""
    size = {key: path.stat().st_size for key, path in converted.items()}
    assert size["audio", "dynamic"] < 0.4 * size["audio", "float"]


def test_int8_convolutions_have_integer_inputs(converted: Kinds) -> None:
    interpreter: Any = TfliteModel(converted["image", "int8"])._interpreter
    details = {entry["index"]: entry["dtype"] for entry in interpreter.get_tensor_details()}
    convolutions = [
        entry for entry in interpreter._get_ops_details() if entry["op_name"] == "CONV_2D"
    ]
    assert convolutions
    assert all(details[entry["inputs"][0]] == np.int8 for entry in convolutions)


def test_the_lstm_is_unrolled_for_int8_only(converted: Kinds) -> None:
    assert "WHILE" not in operators(converted["audio", "int8"])
    assert operators(converted["audio", "dynamic"]).count("WHILE") == 2  # both directions


def test_the_inputs_of_each_tower_are_those_that_the_run_keeps(run: Run) -> None:
    assert tower_inputs(run, "image")["image"].shape == (12, 1, 16, 16, 3)
    assert tower_inputs(run, "audio")["audio"].shape == (
        9,
        1,
        YAMNET.patches_per_window,
        YAMNET.dim,
    )
    fusion = tower_inputs(run, "fusion")
    assert {tuple(presence) for presence in fusion["presence"][:, 0]} == {(1, 1), (1, 0), (0, 1)}
    for name, column in (("image", 0), ("audio", 1)):
        norms = np.linalg.norm(fusion[name][:, 0], axis=1)
        np.testing.assert_allclose(norms, fusion["presence"][:, 0, column], atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_calibration_data_that_is_not_finite_is_refused(value: float) -> None:
    inputs = {"image": np.zeros((2, 1, 4), np.float32), "audio": np.zeros((2, 1, 4), np.float32)}
    inputs["audio"][1, 0, 2] = value
    with pytest.raises(
        InputError,
        match="^calibration data of input audio holds values that are not finite; "
        "train the run again$",
    ):
        _representative(inputs)


def test_calibration_data_has_names_and_comes_row_by_row() -> None:
    inputs = {
        "b": np.arange(4.0).reshape(2, 1, 2).astype(np.float32),
        "a": np.ones((2, 1), np.float32),
    }
    rows = list(_representative(inputs)())
    assert len(rows) == 2 and list(rows[0]) == ["b", "a"]
    np.testing.assert_array_equal(rows[1]["b"], [[2, 3]])


@pytest.mark.parametrize(
    ("script", "reported"),
    [
        ("kill -SEGV $$", r"exit -11: no message"),
        ("echo a line >&2; echo the last line >&2; exit 3", "exit 3: the last line"),
    ],
)
def test_a_crash_of_the_converter_is_reported_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reported: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(stat.S_IRWXU)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(
        InputError,
        match=f"RUN: the image tower cannot be converted at int8 "
        rf"\({reported}\)$",
    ):
        convert(Path("RUN"), {"image": "int8"}, tmp_path)


def parity(precision: str, cosine: float, before: float = 1.0, after: float = 1.0) -> Parity:
    return Parity(precision, 1.0, cosine, {}, before, after, 1000)


@pytest.mark.parametrize(
    ("cosine", "before", "after", "good"),
    [
        (0.98, 0.9, 0.9, True),
        (0.9799, 0.9, 0.9, False),
        (0.99, 0.95, 0.9401, True),
        (0.99, 0.95, 0.9399, False),
        (0.99, 0.9, 0.95, True),
    ],
)
def test_a_tower_may_lose_one_percent_and_have_a_cosine_of_0_98(
    cosine: float, before: float, after: float, good: bool
) -> None:
    assert parity("int8", cosine, before, after).good is good


@pytest.mark.parametrize(
    ("good_at", "tried"),
    [("int8", ["int8"]), ("dynamic", ["int8", "dynamic"]), ("float", ["int8", "dynamic", "float"])],
)
def test_a_tower_that_loses_too_much_is_converted_again_at_a_finer_precision(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good_at: str, tried: list[str]
) -> None:
    found: list[str] = []
    monkeypatch.setattr(
        pack, "convert", lambda run, precisions, folder: found.append(precisions["image"])
    )
    monkeypatch.setattr(
        pack,
        "verify",
        lambda run, tower, precision, *_: parity(precision, 0.99 if precision == good_at else 0.9),
    )
    lines: list[str] = []
    monkeypatch.setattr(pack, "TOWERS", ("image",))
    chosen = pack._export_towers(run, tmp_path, {"image": "int8"}, lines.append)
    assert chosen["image"].precision == good_at and found == tried
    assert [line.endswith("converted again at a finer precision") for line in lines] == [
        precision != good_at for precision in tried
    ]


def test_another_suffix_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="the name of a bundle ends in .birdfield; name it toy.birdfield$"
    ):
        export(run.folder, tmp_path / "toy")


@pytest.mark.usefixtures("_exported")
def test_an_existing_bundle_is_refused_and_survives_a_failed_export(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "toy.birdfield"
    out.mkdir()
    (out / "old").touch()
    with pytest.raises(ExistsError, match="toy.birdfield exists already; choose another name$"):
        export(run.folder, out)

    def fail(*_: object) -> None:
        raise InputError("no conversion today")

    monkeypatch.setattr(pack, "convert", fail)
    with pytest.raises(InputError, match="no conversion today"):
        export(run.folder, out, ExportConfig(force=True))
    assert [path.name for path in tmp_path.iterdir()] == ["toy.birdfield"]
    assert [path.name for path in out.iterdir()] == ["old"]


def test_a_folder_that_is_not_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a complete run"):
        export(tmp_path, tmp_path / "toy.birdfield")
    assert not (tmp_path / "toy.birdfield").exists()


@pytest.fixture
def _quick_export(_exported: None, converted: Kinds, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy(_: Path, precisions: dict[str, str], folder: Path) -> None:
        for tower, precision in precisions.items():
            shutil.copyfile(converted[tower, precision], folder / f"{tower}.tflite")

    monkeypatch.setattr(pack, "convert", copy)


@pytest.mark.usefixtures("_quick_export")
def test_another_yamnet_than_the_packaged_one_is_copied(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "PACKAGED_YAMNET_SHA256", "0" * 64)
    out = export(run.folder, tmp_path / "tiny.birdfield", FLOAT)
    assert {path.name for path in out.iterdir()} == {*FILES, MANIFEST, YAMNET_FILE}
    assert load_bundle(out).yamnet == out / YAMNET_FILE


@pytest.mark.usefixtures("_quick_export")
def test_a_forced_export_replaces_the_bundle(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "tiny.birdfield"
    out.mkdir()
    (out / "old").touch()
    config = replace(FLOAT, force=True, licence="of another")
    assert export(run.folder, out, config) == out
    assert load_bundle(out).manifest.data_licence == "of another"
    assert {path.name for path in out.iterdir()} == {*FILES, MANIFEST}
    bundle = load_bundle(out)
    assert bundle.image_spec.order == "RGB" and bundle.image_spec.scale == 2
    encoder = bundle.encoder()
    rows = run.gallery().vectors
    expected = run.heads.fusion_weights()
    for image, audio in ((rows[0], rows[1]), (rows[0], None), (None, rows[1])):
        fused = encoder.fuse(image, audio)
        np.testing.assert_allclose(fused, expected.fuse(image, audio), atol=1e-5)
        assert np.linalg.norm(fused) == pytest.approx(1, abs=1e-5)
