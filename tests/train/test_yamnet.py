import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

import tensorflow as tf

from birdfield.errors import InputError
from birdfield.model.audio_specs import BAND_MAPS, BANDS, EMBEDDING, YAMNET
from birdfield.model.encoder import unit
from birdfield.model.yamnet import WaveformYamnet, Yamnet
from birdfield.paths import PACKAGED_YAMNET
from birdfield.signals.windows import cut_patches
from birdfield_train import yamnet as module
from birdfield_train.toy_aviary import sing
from birdfield_train.yamnet import provide_yamnet

pytestmark = pytest.mark.train

HOP = 7_680


def average(patches: tf.Tensor) -> tf.Tensor:
    """Embed patches [B, 15600] as 1024 averages of their absolute values."""
    return tf.reduce_mean(tf.abs(tf.reshape(patches[:, : 15 * 1024], [-1, 1024, 15])), 2)


class EmbeddingAlone(tf.Module):  # type: ignore[misc]
    """The interface of google/yamnet/1 without its convolutions."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])  # type: ignore[untyped-decorator]
    def __call__(self, waveform: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        embeddings = average(tf.signal.frame(waveform, YAMNET.patch, HOP))
        return tf.sigmoid(embeddings[:, :521]), embeddings, waveform


class TinyYamnet(tf.Module):  # type: ignore[misc]
    """The interface of google/yamnet/1, with four rectified maps of layer 5's shape in a row.

    Each map is the one before it less 0.1, and at least 0. The first is computed from the first
    12288 samples of a patch, each repeated twice.
    """

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])  # type: ignore[untyped-decorator]
    def __call__(self, waveform: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        missing = tf.maximum(YAMNET.patch - tf.shape(waveform)[0], 0)
        patches = tf.signal.frame(tf.pad(waveform, [[0, missing]]), YAMNET.patch, HOP)
        maps = tf.reshape(
            tf.repeat(patches[:, : np.prod(BAND_MAPS) // 2], 2, axis=1), [-1, *BAND_MAPS]
        )
        for _ in range(4):
            maps = tf.nn.relu(maps - 0.1)
        embeddings = average(patches) + 0 * tf.reduce_sum(maps)
        return tf.sigmoid(embeddings[:, :521]), embeddings, patches[:, :64]


def test_the_packaged_file_is_copied(tmp_path: Path) -> None:
    provide_yamnet(None, tmp_path / "yamnet.tflite")
    assert (tmp_path / "yamnet.tflite").read_bytes() == PACKAGED_YAMNET.read_bytes()


def test_a_damaged_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "packaged.tflite"
    damaged.write_bytes(PACKAGED_YAMNET.read_bytes()[:-1])
    monkeypatch.setattr(module, "PACKAGED_YAMNET", damaged)
    with pytest.raises(InputError, match="packaged.tflite: SHA-256 is .*; install birdfield again"):
        provide_yamnet(None, tmp_path / "yamnet.tflite")
    assert not (tmp_path / "yamnet.tflite").exists()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The converted TinyYamnet."""
    folder = tmp_path_factory.mktemp("tiny_yamnet")
    tf.saved_model.save(TinyYamnet(), str(folder / "model"))
    provide_yamnet(str(folder / "model"), folder / "yamnet.tflite")
    return folder / "yamnet.tflite"


def test_a_saved_model_is_converted_to_a_frontend(tiny: Path) -> None:
    """Patches of constant 0.1, 0.2 and 0.3 have these averages."""
    yamnet = Yamnet(tiny)
    waveform = np.repeat(np.array([0.1, -0.2, 0.3], np.float32), 2 * HOP)
    features = yamnet.extract_features(waveform)
    embeddings, scores = features.embeddings, features.class_scores
    assert embeddings.shape == (5, YAMNET.dim) and scores.shape == (5, 521)
    np.testing.assert_allclose(embeddings[0, :1000], 0.1, atol=1e-6)
    np.testing.assert_allclose(embeddings[2, :1000], 0.2, atol=1e-6)
    np.testing.assert_allclose(scores[0, :521], 1 / (1 + np.exp(-0.1)), atol=1e-6)


def test_the_bands_are_the_mean_and_the_peak_over_time_of_the_first_map(tiny: Path) -> None:
    """Each of the 12 time steps is 1024 samples of one level: 0.2, 0.25, ... 0.75.

    The first map is 0.1 less, with a mean of 0.375 and a peak of 0.65. The last frequency band is
    constant at 0.1, and 0 in the map.
    """
    maps = np.repeat(np.linspace(0.2, 0.75, 12), 8 * 128).reshape(12, 8, 128)
    maps[:, 7] = 0.1
    frames = Yamnet(tiny).embed(maps.ravel().astype(np.float32))
    mean, peak = frames[0, EMBEDDING:].reshape(2, *BAND_MAPS[1:])
    np.testing.assert_allclose(mean[:7], 0.375, atol=1e-6)
    np.testing.assert_allclose(peak[:7], 0.65, atol=1e-6)
    assert not mean[7].any() and not peak[7].any()


def test_a_model_without_maps_of_layer_5_is_refused_in_one_sentence(tmp_path: Path) -> None:
    tf.saved_model.save(EmbeddingAlone(), str(tmp_path / "model"))
    with pytest.raises(InputError) as caught:
        provide_yamnet(str(tmp_path / "model"), tmp_path / "yamnet.tflite")
    assert str(caught.value) == (
        f"{tmp_path / 'model'}: cannot be converted (ValueError: it has 0 rectified maps of "
        "12 x 8 x 256, and YAMNet has 3: it is another network); expected a SavedModel folder or "
        "URL with the interface of google/yamnet/1"
    )
    assert not (tmp_path / "yamnet.tflite").exists()


def test_the_packaged_files_bands_are_pooled_from_its_own_layer_5(tmp_path: Path) -> None:
    """An interpreter that keeps all tensors reads the first maps of [1, 12, 8, 256]."""
    litert = pytest.importorskip(
        "ai_edge_litert.interpreter", reason="ai-edge-litert is not installed"
    )
    inner = litert.Interpreter(
        str(PACKAGED_YAMNET),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    inner.allocate_tensors()
    layer_5 = [
        operation["outputs"][0]
        for operation in inner._get_ops_details()
        if operation["op_name"] == "CONV_2D"
        and tuple(inner._get_tensor_details(operation["outputs"][0], 0)["shape"][1:]) == BAND_MAPS
    ][0]
    patch = sing(1, np.random.default_rng(3), 3.0)[YAMNET.patch :][: YAMNET.patch]
    inner.set_tensor(inner.get_input_details()[0]["index"], patch)
    inner.invoke()
    maps = inner.get_tensor(layer_5)[0]
    bands = WaveformYamnet(PACKAGED_YAMNET, 1).embed(patch[None])[0, EMBEDDING : YAMNET.dim]
    assert bands.shape == (BANDS,) and bands.std() > 0.1
    np.testing.assert_allclose(
        bands, np.concatenate([maps.mean(axis=0).ravel(), maps.max(axis=0).ravel()]), atol=1e-4
    )


def test_a_folder_without_a_model_is_refused_in_one_sentence(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError) as caught:
        provide_yamnet(str(empty), tmp_path / "yamnet.tflite")
    message = str(caught.value)
    assert message.startswith(f"{empty}: cannot be converted (")
    assert message.endswith(
        "expected a SavedModel folder or URL with the interface of google/yamnet/1"
    )
    assert "\n" not in message and "Traceback" not in message
    assert not (tmp_path / "yamnet.tflite").exists()


@pytest.mark.real
def test_the_packaged_file_is_the_conversion_of_the_published_model(tmp_path: Path) -> None:
    model = Path(os.environ["BIRDFIELD_DATA"]).parent / "models" / "yamnet"
    provide_yamnet(str(model), tmp_path / "yamnet.tflite")
    converted, packaged = (
        WaveformYamnet(path, 1) for path in (tmp_path / "yamnet.tflite", PACKAGED_YAMNET)
    )
    rng = np.random.default_rng(2)
    for waveform in (
        sing(1, rng, 3.0),
        np.zeros(YAMNET.rate_hz, np.float32),
        rng.normal(0, 0.1, YAMNET.rate_hz).astype(np.float32),
    ):
        cut = cut_patches(waveform, YAMNET)
        found, expected = converted.embed(cut), packaged.embed(cut)
        np.testing.assert_allclose(found, expected, atol=1e-4)
        np.testing.assert_allclose((unit(found) * unit(expected)).sum(axis=1), 1, atol=1e-5)
