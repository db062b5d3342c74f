import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

import keras
from fabricated import CHANNELS

from birdfield.model.audio_specs import YAMNET
from birdfield.model.encoder import unit
from birdfield.model.sense import Sense
from birdfield_train.fusion_weights import FusionWeights
from birdfield_train.heads import Heads
from birdfield_train.towers import (
    LSTM_UNITS,
    audio_tower,
    fusion_tower,
    image_head,
    pool_features,
    set_projection,
)

pytestmark = pytest.mark.train

RNG = np.random.default_rng(3)
SHAPE = (YAMNET.patches_per_window, YAMNET.dim)
SEQUENCES = RNG.normal(size=(3, *SHAPE)).astype(np.float32)


def names(tensors: list[keras.KerasTensor]) -> list[str]:
    return [tensor.name for tensor in tensors]


def test_inputs_have_the_names_of_the_exported_signatures() -> None:
    assert names(image_head(CHANNELS).inputs) == ["mean", "peak"]
    assert names(audio_tower(*SHAPE).inputs) == ["audio"]
    assert names(fusion_tower().inputs) == ["image", "audio", "presence"]


def test_towers_compute_128_numbers() -> None:
    assert image_head(CHANNELS).output_shape == (None, 128)
    assert audio_tower(*SHAPE).input_shape == (None, YAMNET.patches_per_window, YAMNET.dim)
    assert audio_tower(*SHAPE).output_shape == (None, 128)
    assert audio_tower(*SHAPE, batch_size=1, unroll=True).input_shape == (1, *SHAPE)
    assert fusion_tower(batch_size=1).output_shape == (1, 128)


def test_pooling_returns_the_mean_and_the_peak_of_each_channel() -> None:
    """Channel 0 is 0, 1, 2, 3, with a mean of 1.5 and a peak of 3. Channel 1 is 2 everywhere."""
    maps = np.stack([np.arange(4).reshape(2, 2), np.full((2, 2), 2)], axis=2)[None]
    mean, peak = pool_features(keras.ops.convert_to_tensor(maps.astype(np.float32)))
    np.testing.assert_allclose(mean, [[1.5, 2]])
    np.testing.assert_allclose(peak, [[3, 2]])


def test_the_image_head_projects_mean_and_peak_as_one_kernel() -> None:
    head = image_head(CHANNELS)
    kernel = RNG.normal(size=(2 * CHANNELS, 128)).astype(np.float32)
    bias = RNG.normal(size=128).astype(np.float32)
    set_projection(head, Sense.IMAGE, kernel, bias)
    pooled = RNG.normal(size=(4, 2 * CHANNELS)).astype(np.float32)
    found = head.predict_on_batch([pooled[:, :CHANNELS], pooled[:, CHANNELS:]])
    np.testing.assert_allclose(found, pooled @ kernel + bias, rtol=1e-4, atol=1e-4)


def test_the_audio_tower_starts_as_the_projection_of_mean_and_peak_alone() -> None:
    """The LSTM's part is multiplied by zeros until training changes them."""
    tower = audio_tower(*SHAPE)
    kernel = 0.1 * RNG.normal(size=(2 * YAMNET.dim, 128)).astype(np.float32)
    bias = RNG.normal(size=128).astype(np.float32)
    set_projection(tower, Sense.AUDIO, kernel, bias)
    summary = np.concatenate([SEQUENCES.mean(axis=1), SEQUENCES.max(axis=1)], axis=1)
    expected = summary @ kernel + bias
    np.testing.assert_allclose(tower.predict_on_batch(SEQUENCES), expected, rtol=1e-3, atol=1e-3)
    order = tower.get_layer("order_projection")
    assert order.get_weights()[0].shape == (2 * LSTM_UNITS, 128)
    order.set_weights([RNG.normal(size=(2 * LSTM_UNITS, 128)).astype(np.float32)])
    assert np.abs(tower.predict_on_batch(SEQUENCES) - expected).max() > 0.01


def test_the_lstm_depends_on_the_order_of_the_patches_and_the_summary_does_not() -> None:
    tower = audio_tower(*SHAPE)
    reversed_ = SEQUENCES[:, ::-1]
    np.testing.assert_allclose(
        tower.predict_on_batch(SEQUENCES), tower.predict_on_batch(reversed_), atol=1e-4
    )
    tower.get_layer("order_projection").set_weights(
        [RNG.normal(size=(2 * LSTM_UNITS, 128)).astype(np.float32)]
    )
    difference = tower.predict_on_batch(SEQUENCES) - tower.predict_on_batch(reversed_)
    assert np.abs(difference).max() > 0.01


def test_the_unrolled_tower_has_the_weights_and_the_answers_of_the_rolled_one() -> None:
    rolled, unrolled = audio_tower(*SHAPE), audio_tower(*SHAPE, batch_size=1, unroll=True)
    for weight in rolled.weights:
        weight.assign(0.05 * RNG.normal(size=weight.shape))
    unrolled.set_weights(rolled.get_weights())
    np.testing.assert_allclose(
        unrolled.predict_on_batch(SEQUENCES[:1]),
        rolled.predict_on_batch(SEQUENCES[:1]),
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.fixture
def heads() -> Heads:
    """Heads whose fusion has random weights."""
    heads = Heads(CHANNELS, YAMNET, gain=0.7)
    for weight in heads.fusion.trainable_variables:
        weight.assign(RNG.normal(size=weight.shape))
    return heads


VECTORS = unit(RNG.normal(size=(2, 128)).astype(np.float32))


@pytest.mark.parametrize("presence", [(1, 1), (1, 0), (0, 1)])
def test_the_keras_fusion_equals_the_numpy_fusion(heads: Heads, presence: tuple[int, int]) -> None:
    image, audio = VECTORS
    found = heads.fusion.predict_on_batch(
        [image[None], audio[None], np.array([presence], np.float32)]
    )
    expected = heads.fusion_weights().fuse(
        image if presence[0] else None, audio if presence[1] else None
    )
    np.testing.assert_allclose(unit(found)[0], expected, atol=1e-5)


def test_the_numpy_fusion_multiplies_sound_by_the_gain() -> None:
    """With identity kernels, e0 + 0.5 e1 has length sqrt(1.25); an absent sense adds its token."""
    eye = np.eye(128, dtype=np.float32)
    weights = FusionWeights(eye, eye, eye[2], 2 * eye[3], np.array(0.5, np.float32))
    np.testing.assert_allclose(
        weights.fuse(eye[0], eye[1]), (eye[0] + 0.5 * eye[1]) / 1.25**0.5, atol=1e-6
    )
    np.testing.assert_allclose(weights.fuse(eye[0], None), (eye[0] + eye[3]) / 2**0.5, atol=1e-6)
    np.testing.assert_allclose(
        weights.fuse(None, eye[1]), (eye[2] + 0.5 * eye[1]) / 1.25**0.5, atol=1e-6
    )
    np.testing.assert_allclose(weights.with_gain(0).fuse(eye[0], eye[1]), eye[0])


@pytest.mark.parametrize(("presence", "absent"), [((0, 1), 0), ((1, 0), 1)])
def test_the_vector_of_an_absent_sense_has_no_influence(
    heads: Heads, presence: tuple[int, int], absent: int
) -> None:
    inputs = [VECTORS[:1], VECTORS[1:], np.array([presence], np.float32)]
    before = heads.fusion.predict_on_batch(inputs)
    inputs[absent] = 100 * VECTORS[::-1][absent : absent + 1]
    np.testing.assert_array_equal(heads.fusion.predict_on_batch(inputs), before)


def test_the_gain_is_set_and_not_trained(heads: Heads) -> None:
    assert heads.fusion_weights().gain == np.float32(0.7)
    heads.set_gain(0.15)
    assert heads.fusion_weights().gain == np.float32(0.15)
    assert len(heads.fusion.trainable_variables) == 4


def test_weights_are_set_in_the_order_of_get_weights(heads: Heads) -> None:
    other = Heads(CHANNELS, YAMNET)
    other.set_weights(heads.get_weights())
    for one, two in zip(heads.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
