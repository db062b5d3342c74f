import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

import keras
import tensorflow as tf

import birdfield_train
from birdfield.errors import UsageError
from birdfield.model.audio_specs import YAMNET

pytestmark = pytest.mark.train

RNG = np.random.default_rng(5)
PRESENCE = np.array([[1, 1], [1, 0], [0, 1]], np.float32)


def make_inputs(frames: int = YAMNET.patches_per_window) -> dict[str, np.ndarray]:
    return {
        "image": RNG.normal(0, 60, (3, 224, 224, 3)).astype(np.float32),
        "audio": RNG.normal(size=(3, frames, YAMNET.dim)).astype(np.float32),
        "presence": PRESENCE,
    }


@pytest.fixture(scope="module")
def encoder() -> keras.Model:
    return birdfield_train.create_fused_encoder()


@pytest.fixture(scope="module")
def base(encoder: keras.Model) -> dict[str, keras.layers.Layer]:
    """The image tower's layers by name."""
    return {layer.name: layer for layer in encoder.get_layer("image_tower").layers}


def test_the_package_exports_two_functions_and_no_other() -> None:
    from birdfield_train.fused_encoder import create_fused_encoder
    from birdfield_train.triplets import prepare_triplets

    assert birdfield_train.create_fused_encoder is create_fused_encoder
    assert birdfield_train.prepare_triplets is prepare_triplets
    with pytest.raises(AttributeError, match="has no attribute 'create_encoder'"):
        getattr(birdfield_train, "create_encoder")  # noqa: B009


def test_embeddings_are_unit_with_either_sense_absent(encoder: keras.Model) -> None:
    assert {tensor.name: tensor.shape for tensor in encoder.inputs} == {
        "image": (None, 224, 224, 3),
        "audio": (None, YAMNET.patches_per_window, YAMNET.dim),
        "presence": (None, 2),
    }
    embeddings = encoder.predict_on_batch(make_inputs())
    assert embeddings.shape == (3, 128)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_an_absent_sense_has_no_influence(encoder: keras.Model) -> None:
    inputs = make_inputs()
    before = encoder.predict_on_batch(inputs)
    inputs["audio"][1] = 7  # image only
    inputs["image"][2] = 7  # audio only
    np.testing.assert_allclose(encoder.predict_on_batch(inputs), before, atol=1e-6)


def test_early_blocks_are_frozen_and_the_last_one_is_trainable(
    base: dict[str, keras.layers.Layer],
) -> None:
    convolutions = {
        name: layer for name, layer in base.items() if name.startswith("block") and layer.weights
    }
    assert len(convolutions) == 13
    assert {name for name, layer in convolutions.items() if layer.trainable} == {
        "block5_conv1",
        "block5_conv2",
        "block5_conv3",
    }


def test_every_trainable_weight_has_a_gradient(encoder: keras.Model) -> None:
    """The LSTM's projection starts at zeros, with which the LSTM has no gradient."""
    kernel = encoder.get_layer("audio_tower").get_layer("order_projection").kernel
    kernel.assign(0.1 * RNG.normal(size=kernel.shape))
    directions = tf.constant(RNG.normal(size=(3, 128)), tf.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(encoder(make_inputs(), training=True) * directions)
    weights = encoder.trainable_variables
    gradients = tape.gradient(loss, weights)
    without = [
        weight.path
        for weight, gradient in zip(weights, gradients, strict=True)
        if gradient is None or not np.any(gradient)
    ]
    assert not without
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert len(weights) == 3 * 2 + 3 + (2 + 6 + 1 + 3) + 4  # block 5, image, audio, fusion


def test_the_summary_names_the_parts(encoder: keras.Model) -> None:
    lines: list[str] = []
    encoder.summary(print_fn=lambda line, **_: lines.append(line))
    text = "\n".join(lines)
    for part in ("fused_encoder_128d", "image_tower", "audio_tower", "fusion_tower", "embedding"):
        assert part in text


def test_an_encoder_for_sound_of_any_length() -> None:
    encoder = birdfield_train.create_fused_encoder(frames=None, trainable_from=None)
    assert encoder.predict_on_batch(make_inputs(frames=3)).shape == (3, 128)
    names = [weight.path for weight in encoder.trainable_variables]
    assert not [name for name in names if "block" in name]


def test_an_unknown_backbone_is_refused() -> None:
    with pytest.raises(UsageError, match="no image backbone 'vgg61'; expected one of vgg16"):
        birdfield_train.create_fused_encoder("vgg61")
