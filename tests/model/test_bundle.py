import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from fakes import factory, make_bundle, manifest_of, to_birdnet, write_manifest

from birdfield.errors import InputError
from birdfield.model import bundle as bundle_module
from birdfield.model.audio_specs import BIRDNET, YAMNET
from birdfield.model.bundle import (
    FILES,
    MANIFEST,
    TOWERS,
    YAMNET_FILE,
    load_bundle,
    model_id,
)
from birdfield.model.manifest import Accuracy, Tower
from birdfield.model.sense import Sense
from birdfield.paths import PACKAGED_YAMNET, PACKAGED_YAMNET_SHA256, file_sha256


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "m.birdfield").folder


def test_a_complete_bundle_is_opened(folder: Path) -> None:
    bundle = load_bundle(folder)
    assert bundle.factory_gallery().labels == factory().labels
    assert bundle.image_spec.size_px == 224 and bundle.calibration == factory().calibration
    assert bundle.model_id == manifest_of(folder)["model"]


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_named(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name}: damaged: SHA-256 is .*, the manifest says"):
        load_bundle(folder)


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"{name}: cannot be read .No such file or directory."):
        load_bundle(folder)


def test_a_path_that_is_not_a_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such model; expected a folder NAME.birdfield"):
        load_bundle(tmp_path / "missing.birdfield")
    (tmp_path / "file.birdfield").touch()
    with pytest.raises(InputError, match="no such model"):
        load_bundle(tmp_path / "file.birdfield")


@pytest.mark.parametrize("found", [0, 1, 3, None, "2", [2]])
def test_the_error_for_another_format_states_both_formats(folder: Path, found: object) -> None:
    write_manifest(folder, {**manifest_of(folder), "format": found})
    with pytest.raises(InputError, match="bundle format .*, expected 2; install the birdfield"):
        load_bundle(folder)


def deep(depth: int) -> object:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "change",
    [
        {"dim": 64},
        {"dim": None},
        {"audio": None},
        {"audio": {"rate_hz": 8000, "frames": 10}},
        {"audio": {}},
        {"audio": 3},
        {"image": None},
        {"image": []},
        {"image": {"size_px": "wide"}},
        {"calibration": None},
        {"calibration": {"temperature": {}}},
        {"model": 3},
        {"model": ""},
        {"model": "x" * 200},
        {"model": None},
        {"files": None},
        {"files": []},
        {"files": {}},
        {"files": "all"},
        {"image": deep(400)},
        {"calibration": deep(400)},
        {"model": "../../etc/passwd"},
        {"model": "a/b"},
        {"model": "a\x00b"},
        {"model": ".."},
    ],
    ids=lambda change: json.dumps(change)[:40],
)
def test_a_malformed_manifest_is_refused(folder: Path, change: dict[str, object]) -> None:
    write_manifest(folder, {**manifest_of(folder), **change})
    with pytest.raises(InputError, match="manifest.json: "):
        load_bundle(folder)


@pytest.mark.parametrize("margin", [0, -1, 1e9, float("nan"), "wide", None, []])
def test_a_crop_margin_out_of_range_is_refused(folder: Path, margin: object) -> None:
    entries = manifest_of(folder)
    write_manifest(folder, {**entries, "image": {**entries["image"], "crop_margin": margin}})
    with pytest.raises(InputError, match="manifest.json: "):
        load_bundle(folder)


@pytest.mark.parametrize(
    "key", ["dim", "image", "audio", "calibration", "model", "files", "format"]
)
def test_a_manifest_without_a_field_is_refused(folder: Path, key: str) -> None:
    entries = manifest_of(folder)
    del entries[key]
    write_manifest(folder, entries)
    with pytest.raises(InputError):
        load_bundle(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"3",
        b"[" * 100_000,
        b"\xff\xfe\0",
        b'{"format": 1e999}',
        b'{"a":' * 100_000,
    ],
)
def test_a_manifest_that_is_not_a_json_object_is_refused(folder: Path, content: bytes) -> None:
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(InputError):
        load_bundle(folder)


def test_a_manifest_that_is_too_large_is_not_read(folder: Path) -> None:
    with (folder / MANIFEST).open("wb") as stream:
        stream.truncate(4_000_001)
    with pytest.raises(InputError, match="4,000,001 bytes; expected a manifest of at most"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["../image.tflite", "/etc/passwd", "image.tflite\0", "more.bin"])
def test_a_manifest_that_lists_other_files_is_refused(folder: Path, name: str) -> None:
    entries = manifest_of(folder)
    entries["files"][name] = entries["files"].pop("image.tflite")
    write_manifest(folder, entries)
    with pytest.raises(InputError, match="manifest.json: lists .*, expected"):
        load_bundle(folder)


@pytest.mark.parametrize("digest", [None, 3, [], "", "0" * 64])
def test_a_file_with_another_hash_in_the_manifest_is_refused(folder: Path, digest: object) -> None:
    entries = manifest_of(folder)
    entries["files"]["image.tflite"] = digest
    write_manifest(folder, entries)
    with pytest.raises(InputError, match="image.tflite: damaged"):
        load_bundle(folder)


def test_a_bundle_refers_to_the_packaged_yamnet_without_a_copy(folder: Path) -> None:
    bundle = load_bundle(folder)
    assert bundle.yamnet == PACKAGED_YAMNET and bundle.audio_spec is YAMNET
    assert not (folder / YAMNET_FILE).exists()


def test_a_bundle_for_another_yamnet_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_module, "PACKAGED_YAMNET_SHA256", "0" * 64)
    with pytest.raises(
        InputError,
        match=f"needs the YAMNet {PACKAGED_YAMNET_SHA256[:12]}..., but this "
        "birdfield has 000000000000...; install the ",
    ):
        load_bundle(folder)


def with_own_yamnet(folder: Path) -> None:
    """Add another YAMNet to a bundle."""
    (folder / YAMNET_FILE).write_bytes(b"yamnet")
    own = file_sha256(folder / YAMNET_FILE)
    entries = manifest_of(folder)
    files = {**entries["files"], YAMNET_FILE: own}
    write_manifest(
        folder,
        {
            **entries,
            "files": files,
            "yamnet": {"sha256": own},
            "frontend": {"name": "yamnet", "sha256": own},
            "model": model_id(files, own),
        },
    )


def test_a_bundle_may_contain_its_own_yamnet(folder: Path) -> None:
    before = load_bundle(folder).model_id
    with_own_yamnet(folder)
    assert load_bundle(folder).yamnet == folder / YAMNET_FILE
    assert load_bundle(folder).model_id != before
    (folder / YAMNET_FILE).write_bytes(b"Yamnet")
    with pytest.raises(InputError, match="yamnet.tflite: damaged: SHA-256 is"):
        load_bundle(folder)


def test_a_bundle_names_its_frontend(folder: Path) -> None:
    to_birdnet(folder)
    bundle = load_bundle(folder)
    assert bundle.audio_spec is BIRDNET and bundle.yamnet == PACKAGED_YAMNET


def test_a_birdnet_bundle_without_class_projection_is_refused(
    folder: Path,
) -> None:
    """Early bundles with BirdNET lack the projection; bundles with YAMNet never have one."""
    assert "evidence" not in json.loads((folder / MANIFEST).read_text())["audio"]
    to_birdnet(folder)
    entries = json.loads((folder / MANIFEST).read_text())
    del entries["audio"]["evidence"]
    write_manifest(folder, {**entries, "audio": {**entries["audio"], "dim": 1024}})
    with pytest.raises(
        InputError,
        match="manifest.json: the model expects 0 numbers of class projection from birdnet, but "
        "this birdfield computes 256; train and export the model again$",
    ):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("frontend", "words"),
    [
        (
            {"name": "perch", "sha256": "0"},
            "the frontend 'perch', expected one of yamnet, birdnet; ",
        ),
        (
            {"name": "birdnet", "sha256": "0" * 64},
            "SHA-256 of birdnet is 000000000000..., expected ",
        ),
        (
            {"name": "yamnet", "sha256": PACKAGED_YAMNET_SHA256},
            "256 numbers of class projection",
        ),
    ],
)
def test_another_frontend_is_refused(folder: Path, frontend: dict[str, str], words: str) -> None:
    to_birdnet(folder)
    entries = json.loads((folder / MANIFEST).read_text())
    write_manifest(folder, {**entries, "frontend": frontend})
    with pytest.raises(InputError, match=words):
        load_bundle(folder)


def test_a_models_id_depends_on_its_towers_and_its_frontend(tmp_path: Path) -> None:
    """Another gallery leaves the species space as it is; another tower or frontend does not."""
    hashes = manifest_of(make_bundle(tmp_path / "m.birdfield").folder)["files"]
    own = model_id(hashes, "a" * 64)
    assert model_id({**hashes, "species.npz": "0" * 64}, "a" * 64) == own
    changed = {model_id({**hashes, name: "0" * 64}, "a" * 64) for name in TOWERS}
    assert len(changed | {own, model_id(hashes, "b" * 64)}) == len(TOWERS) + 2


def test_a_copy_with_another_name_is_the_same_model(folder: Path) -> None:
    copy = folder.with_name("Käuzchen 🦉.birdfield")
    shutil.copytree(folder, copy)
    assert load_bundle(copy).model_id == load_bundle(folder).model_id


@pytest.mark.parametrize(("image", "margin"), [({"crop_margin": 1.35}, 1.35), ({}, 1.0)])
def test_the_crop_margin_is_1_where_the_manifest_has_none(
    folder: Path, image: dict[str, float], margin: float
) -> None:
    entries = manifest_of(folder)
    write_manifest(folder, {**entries, "image": {**entries["image"], **image}})
    assert load_bundle(folder).crop_margin == margin


def test_a_manifest_has_typed_fields_and_keeps_unknown_ones_for_display(folder: Path) -> None:
    entries = manifest_of(folder)
    image = {**entries["image"], "later": [1]}
    scores = {"image": {"n": 9, "top1": 0.5, "top1_ci95": [0.2, 0.8]}, "audio": {"n": 0}}
    write_manifest(folder, {**entries, "image": image, "cross_validation": scores, "later": {}})
    manifest = load_bundle(folder).manifest
    assert (manifest.image_backbone, manifest.licences) == ("blue", ("CC0",))
    assert manifest.towers == {"image": Tower("float", 1.0, 1.0, 5)}
    assert manifest.accuracy == {Sense.IMAGE: Accuracy(9, 0.5, (0.2, 0.8))}
    assert manifest.document["image"] == image and manifest.document["later"] == {}
