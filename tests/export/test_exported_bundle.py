"""Exported bundle of a VGG16 run on the toy aviary: its files, its manifest, its parity."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")


from operators import assert_built_in

from birdfield.model.bundle import FILES, MANIFEST, load_bundle
from birdfield.model.encoder import unit
from birdfield.model.gallery import ARRAYS
from birdfield.model.json_fields import JsonFields
from birdfield.paths import file_sha256
from birdfield.signals.image import preprocess
from birdfield_export.convert import (
    PRECISIONS,
    TOWERS,
    build_tower,
)
from birdfield_export.pack import ExportConfig
from birdfield_train.run_encoder import Run

# The converter calibrates with tf.lite.Interpreter; the runtime uses LiteRT's.
pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings(r"ignore:\s+Warning. tf.lite.Interpreter is deprecated:UserWarning"),
]

Kinds = dict[tuple[str, str], Path]  # by tower and precision
FLOAT = ExportConfig("float")


def test_an_exported_bundle_has_only_its_files_and_describes_them(exported_bundle: Path) -> None:
    """It holds no photograph and no recording, and its manifest describes every tower."""
    bundle = load_bundle(exported_bundle)
    assert sorted(path.name for path in exported_bundle.iterdir()) == sorted([MANIFEST, *FILES])
    assert len(bundle.factory_gallery().labels) == 6
    assert bundle.manifest.towers.keys() == {"image", "audio", "fusion"}
    assert all(tower.min_cosine >= 0.98 for tower in bundle.manifest.towers.values())
    runtimes = JsonFields(bundle.manifest.document).text_by_name("minimum_runtime")
    assert runtimes.keys() == {"ai-edge-litert", "tflite-runtime"}
    assert len(bundle.manifest.licences) == 2


def test_towers_of_the_toy_bundle_have_only_built_in_operators(exported_bundle: Path) -> None:
    for name in FILES:
        if name.endswith(".tflite"):
            assert_built_in(exported_bundle / name)


def test_the_toy_bundle_has_no_picture_and_no_sound(exported_bundle: Path) -> None:
    assert {path.name for path in exported_bundle.rglob("*")} == {*FILES, MANIFEST}
    with np.load(exported_bundle / "species.npz") as arrays:
        assert {*arrays.files} == {*ARRAYS}
        assert arrays["vectors"].shape == (18, 128)  # 6 species by image, audio and both


def test_the_manifest_records_the_parity_and_the_hashes_of_the_files(exported_bundle: Path) -> None:
    manifest = json.loads((exported_bundle / MANIFEST).read_text())
    assert manifest["files"] == {name: file_sha256(exported_bundle / name) for name in FILES}
    synthetic = {"image": {"black frame", "noise"}, "audio": {"silence", "noise"}, "fusion": set()}
    for tower in TOWERS:
        entry = manifest["towers"][tower]
        assert entry["precision"] in PRECISIONS
        assert 0.98 <= entry["min_cosine"] <= entry["mean_cosine"] <= 1.00001
        assert set(entry["synthetic_cosine"]) == synthetic[tower]
        assert entry["size_bytes"] == (exported_bundle / f"{tower}.tflite").stat().st_size
        if tower != "fusion":
            assert 0 <= entry["top1_before"] - 0.01 <= entry["top1_after"] <= 1
    assert manifest["towers"]["image"]["precision"] == "int8"
    assert manifest["minimum_runtime"] == {"ai-edge-litert": "1.0", "tflite-runtime": "2.14"}
    assert any("Oxford" in line for line in manifest["licences"])
    assert any("YAMNet" in line for line in manifest["licences"])


def test_the_exported_towers_agree_with_keras_on_samples_that_the_run_keeps(
    toy_run: Path, exported_bundle: Path
) -> None:
    """Unlike `verify`, this uses the encoder of the bundle, on 6 pictures and 6 sounds."""
    run, encoder = Run(toy_run), load_bundle(exported_bundle).encoder()
    with np.load(toy_run / "calibration.npz") as kept:
        pictures, sequences = kept["images"][:6], kept["sequences"][:6].astype(np.float32)
    image = build_tower(run, "image", "float")
    by_keras = unit(
        image.predict_on_batch(
            np.stack([preprocess(picture, run.backbone.spec) for picture in pictures])
        )
    )
    by_bundle = np.stack([encoder.image_vector(picture) for picture in pictures])
    assert (by_keras * by_bundle).sum(axis=1).min() >= 0.98
    audio = unit(run.heads.audio.predict_on_batch(sequences))
    assert (audio * np.stack([encoder.audio_vector(frames) for frames in sequences])).sum(
        axis=1
    ).min() >= 0.98
