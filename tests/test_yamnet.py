import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

import tensorflow as tf

from birdfield.config import PACKAGED_YAMNET
from birdfield.encoder import unit
from birdfield.errors import InputError
from birdfield.frontend import YAMNET, Yamnet
from birdfield_train import yamnet as module
from birdfield_train.toy_aviary import sing
from birdfield_train.yamnet import provide_yamnet

pytestmark = pytest.mark.train

HOP = 7_680


class TinyYamnet(tf.Module):  # type: ignore[misc]
    """The interface of google/yamnet/1: embeds a patch as 1024 averages of its absolute values."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])  # type: ignore[untyped-decorator]
    def __call__(self, waveform: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        missing = tf.maximum(YAMNET.patch - tf.shape(waveform)[0], 0)
        patches = tf.signal.frame(tf.pad(waveform, [[0, missing]]), YAMNET.patch, HOP)
        embeddings = tf.reduce_mean(tf.abs(tf.reshape(patches[:, : 15 * 1024], [-1, 1024, 15])), 2)
        return tf.sigmoid(embeddings[:, :521]), embeddings, patches[:, :64]


def test_the_packaged_file_is_provided_unchanged(tmp_path: Path) -> None:
    provide_yamnet(None, tmp_path / "yamnet.tflite")
    assert (tmp_path / "yamnet.tflite").read_bytes() == PACKAGED_YAMNET.read_bytes()


def test_a_damaged_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "packaged.tflite"
    damaged.write_bytes(PACKAGED_YAMNET.read_bytes()[:-1])
    monkeypatch.setattr(module, "PACKAGED_YAMNET", damaged)
    with pytest.raises(InputError, match="packaged.tflite: SHA-256 is .*; install birdfield again"):
        provide_yamnet(None, tmp_path / "yamnet.tflite")
    assert not (tmp_path / "yamnet.tflite").exists()


def test_a_saved_model_is_converted_to_the_frontend_that_all_read(tmp_path: Path) -> None:
    """Patches of 0.1, 0.2 and 0.3 throughout have such averages."""
    tf.saved_model.save(TinyYamnet(), str(tmp_path / "model"))
    provide_yamnet(str(tmp_path / "model"), tmp_path / "yamnet.tflite")
    yamnet = Yamnet(tmp_path / "yamnet.tflite")
    waveform = np.repeat(np.array([0.1, -0.2, 0.3], np.float32), 2 * HOP)
    heard = yamnet.hear(waveform)
    embeddings, scores = heard.frames, heard.classes
    assert embeddings.shape == (5, 1024) and scores.shape == (5, 521)
    np.testing.assert_allclose(embeddings[0, :1000], 0.1, atol=1e-6)
    np.testing.assert_allclose(embeddings[2, :1000], 0.2, atol=1e-6)
    np.testing.assert_allclose(scores[0, :521], 1 / (1 + np.exp(-0.1)), atol=1e-6)


def test_a_folder_that_is_no_model_ends_in_one_sentence(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError) as caught:
        provide_yamnet(str(empty), tmp_path / "yamnet.tflite")
    message = str(caught.value)
    assert message.startswith(f"{empty}: cannot be converted (")
    assert message.endswith("expected a SavedModel folder or URL with the interface of "
                            "google/yamnet/1")
    assert "\n" not in message and "Traceback" not in message
    assert not (tmp_path / "yamnet.tflite").exists()


@pytest.mark.real
def test_the_packaged_file_is_the_conversion_of_the_published_model(tmp_path: Path) -> None:
    model = Path(os.environ["BIRDFIELD_DATA"]).parent / "models" / "yamnet"
    provide_yamnet(str(model), tmp_path / "yamnet.tflite")
    converted, packaged = Yamnet(tmp_path / "yamnet.tflite"), Yamnet(PACKAGED_YAMNET)
    rng = np.random.default_rng(2)
    for waveform in (sing(1, rng, 3.0), np.zeros(YAMNET.rate_hz, np.float32),
                     rng.normal(0, 0.1, YAMNET.rate_hz).astype(np.float32)):
        found, expected = converted.embed(waveform), packaged.embed(waveform)
        np.testing.assert_allclose(found, expected, atol=1e-4)
        np.testing.assert_allclose((unit(found) * unit(expected)).sum(axis=1), 1, atol=1e-5)
