from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

import tensorflow as tf
from fabricated import CHANNELS, make_features, make_split, setup

from birdfield.model.audio_specs import YAMNET
from birdfield.model.encoder import unit
from birdfield.model.sense import Sense
from birdfield.signals.windows import AudioSpec
from birdfield_train.fit import FitConfig, Fitter, load_heads
from birdfield_train.heads import AUDIO_PEAK_WEIGHT, Heads, weighted_discriminant
from birdfield_train.projection import mean_directions
from birdfield_train.samples import Split
from birdfield_train.towers import BLOCK, audio_tower, set_blocks, set_projection

pytestmark = pytest.mark.train

CLASS_DIM = 6
SPEC = replace(YAMNET, class_dim=CLASS_DIM)  # the last six of the fabricated features
SIZE = SPEC.dim - CLASS_DIM
SMALL = AudioSpec("small", 16_000, 15_600, 7_680, patches_per_window=2, dim=5, class_dim=2)
ZEROS = np.zeros(BLOCK, np.float32)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return make_split(make_features(tmp_path_factory.mktemp("features"), "ABC"))


def blocks_of(heads: Heads, sequences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Undo the rotation of the tower's vectors; return its two blocks, unit [N, 64] each."""
    rotation = heads.audio.get_layer("audio_rotation").get_weights()[0]
    blocks = heads.audio.predict_on_batch(sequences) @ np.linalg.inv(rotation)
    return blocks[:, :BLOCK], blocks[:, BLOCK:]


def test_a_cosine_is_the_mean_of_the_cosines_of_the_two_blocks() -> None:
    """Patches (1, 0, 0) and (3, 2, 0) have the mean (2, 1, 0) and the peak (3, 2, 0).

    The mean becomes numbers 0, 1, 2 of the first block, and the peak 3, 4, 5. The mean of the class
    projection, (0, 3), becomes numbers 0, 1 of the second block.
    """
    tower = audio_tower(SMALL.patches_per_window, SMALL.dim, class_dim=SMALL.class_dim)
    set_projection(tower, Sense.AUDIO, np.eye(6, BLOCK, dtype=np.float32), ZEROS)
    set_blocks(tower, np.eye(2, BLOCK, dtype=np.float32), 5 * np.eye(128, dtype=np.float32))
    sequence = np.array([[[1, 0, 0, 0, 2], [3, 2, 0, 0, 4]]], np.float32)
    expected = np.zeros(2 * BLOCK)
    expected[:6] = np.array([2, 1, 0, 3, 2, 0]) / np.sqrt(18)
    expected[BLOCK + 1] = 1
    np.testing.assert_allclose(tower.predict_on_batch(sequence)[0], 5 * expected, atol=1e-5)


def test_the_tower_starts_as_a_discriminant_beside_the_directions_of_the_classes(
    split: Split,
) -> None:
    """Each fabricated recording is one window, and has one summary."""
    heads = Heads(CHANNELS, SPEC)
    heads.start(split)
    windows = np.stack([feature.load() for feature in split.audio])
    pooled = np.concatenate([windows.mean(axis=1)[:, :SIZE], windows.max(axis=1)[:, :SIZE]], axis=1)
    classes = windows.mean(axis=1)[:, SIZE:]
    kernel, bias = weighted_discriminant(pooled, split.audio_labels, AUDIO_PEAK_WEIGHT, BLOCK)
    embedded, projected = blocks_of(heads, windows)
    expected = pooled @ kernel + bias
    np.testing.assert_allclose(unit(embedded), unit(expected), atol=2e-3)
    directions = mean_directions(classes, split.audio_labels, BLOCK)
    np.testing.assert_allclose(unit(projected), unit(classes @ directions), atol=2e-3)
    np.testing.assert_allclose(
        np.linalg.norm(embedded, axis=1), np.linalg.norm(projected, axis=1), rtol=1e-3
    )
    lengths = np.linalg.norm(heads.audio.predict_on_batch(windows), axis=1)
    np.testing.assert_allclose(lengths, np.linalg.norm(expected, axis=1).mean(), rtol=1e-3)


def test_both_blocks_are_aligned_with_the_species_by_image(split: Split) -> None:
    heads = Heads(CHANNELS, SPEC)
    heads.start(split)
    means = [
        unit(np.stack([found.vectors[found.labels == row].mean(axis=0) for row in range(3)]))
        for found in heads.embed_split(split)
    ]
    assert (np.argmax(means[1] @ means[0].T, axis=1) == np.arange(3)).all()


def test_a_batch_without_sound_has_finite_gradients() -> None:
    """Without sound, a sequence and its class projection are zeros, which have no direction."""
    tower = audio_tower(SMALL.patches_per_window, SMALL.dim, class_dim=SMALL.class_dim)
    set_projection(tower, Sense.AUDIO, np.zeros((6, BLOCK), np.float32), ZEROS)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tower(tf.zeros((3, SMALL.patches_per_window, SMALL.dim))))
    assert all(
        np.isfinite(gradient).all() for gradient in tape.gradient(loss, tower.trainable_variables)
    )


def test_a_fit_is_written_and_read_again(split: Split, tmp_path: Path) -> None:
    fitter = Fitter(split, setup(FitConfig(steps=2, species_per_batch=3), audio=SPEC))
    fitter.run(1, lambda *_: None)
    fitter.save_weights(tmp_path / "heads.npz")
    again = load_heads(tmp_path / "heads.npz", CHANNELS, SPEC)
    np.testing.assert_array_equal(
        again.embed_audio(split.audio), fitter.heads.embed_audio(split.audio)
    )


def test_without_a_class_projection_there_is_one_block() -> None:
    names = {layer.name for layer in audio_tower(SMALL.patches_per_window, SMALL.dim).layers}
    assert "audio_mean_projection" in names
    assert not names & {"audio_unit", "class_projection", "audio_rotation"}
