import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

import tensorflow as tf
from fabricated import CHANNELS, Counts, make_features, make_split, setup

from birdfield.model.audio_specs import YAMNET
from birdfield.model.encoder import unit
from birdfield.model.sense import EACH_SENSE, Sense
from birdfield_train.features import FeatureSet
from birdfield_train.fit import FitConfig, Fitter, load_heads
from birdfield_train.heads import IMAGE_PEAK_WEIGHT, weighted_discriminant
from birdfield_train.history import EpochMetrics, History
from birdfield_train.samples import Split

pytestmark = pytest.mark.train

# A wide margin, so that triplets of these well separated species stay active.
CONFIG = FitConfig(
    margin=1.5,
    species_per_batch=3,
    samples_per_species=2,
    steps=1,
    semi_hard_epochs=1,
    learning_rate=1e-3,
)
SETUP = setup(CONFIG)
FEW = Counts(images=3, recordings=2)
EPOCHS = 3


@pytest.fixture(scope="module", autouse=True)
def _eager() -> Iterator[None]:
    """Run step by step, because tracing a graph takes longer than these few steps."""
    tf.config.experimental.enable_op_determinism()
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    return make_features(tmp_path_factory.mktemp("features"), "abc", FEW)


@pytest.fixture(scope="module")
def split(features: FeatureSet) -> Split:
    return make_split(features)


@pytest.fixture(scope="module")
def whole(split: Split) -> Fitter:
    """A fit without an interruption; read only."""
    return fit(split)


def silent(*_: object) -> None:
    pass


def fit(
    split: Split,
    checkpoint: Path | None = None,
    epochs: int = EPOCHS,
    config: FitConfig = CONFIG,
    seed: int = 0,
) -> Fitter:
    fitter = Fitter(split, setup(config, seed), checkpoint)
    fitter.run(epochs, silent)
    return fitter


@pytest.mark.parametrize("stop", range(1, EPOCHS))
def test_a_fit_that_is_interrupted_at_any_epoch_ends_with_the_same_bits(
    split: Split, whole: Fitter, tmp_path: Path, stop: int
) -> None:
    def interrupt(_: object, metrics: EpochMetrics) -> None:
        if metrics.epoch == stop:
            raise KeyboardInterrupt

    first = Fitter(split, SETUP, tmp_path / "checkpoint.npz")
    with pytest.raises(KeyboardInterrupt):
        first.run(EPOCHS, interrupt)
    second = Fitter(split, SETUP, tmp_path / "checkpoint.npz")
    assert second.epoch == stop
    second.run(EPOCHS, silent)
    assert second.history == whole.history
    for one, two in zip(second.heads.get_weights(), whole.heads.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_complete_fit_is_not_continued(split: Split, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.npz"
    fit(split, checkpoint, epochs=1)
    content = checkpoint.read_bytes()
    again = fit(split, checkpoint, epochs=1)
    assert again.epoch == 1 and len(again.history) == 1 and checkpoint.read_bytes() == content


def test_another_seed_leads_to_another_fit(split: Split, whole: Fitter) -> None:
    assert fit(split, epochs=1, seed=5).history[0] != whole.history[0]


def test_training_lowers_the_loss_and_keeps_the_gain(split: Split) -> None:
    """Each batch has all species and most samples, so the losses of epochs can be compared."""
    fitter = fit(
        split,
        epochs=3,
        config=FitConfig(
            margin=1.5,
            species_per_batch=3,
            samples_per_species=3,
            steps=3,
            semi_hard_epochs=0,
            learning_rate=3e-3,
        ),
    )
    losses = [metrics.loss for metrics in fitter.history]
    assert losses[2] < losses[0]
    assert fitter.heads.fusion_weights().gain == np.float32(0.3)


def test_each_epoch_is_measured(whole: Fitter) -> None:
    assert [metrics.epoch for metrics in whole.history] == [1, 2, 3]
    for metrics in whole.history:
        assert metrics.loss > 0 and 0 < metrics.active <= 1 and 0 < metrics.spread <= 1
        assert 0 <= metrics.d_ap <= 2 and 0 <= metrics.d_an <= 2


def test_mining_is_semi_hard_first_and_then_hard(split: Split) -> None:
    fitter = Fitter(split, SETUP)
    mined: list[str] = []

    def spy(name: str, step: Callable[..., object]) -> Callable[..., object]:
        def recorded(*batch: object) -> object:
            mined.append(name)
            return step(*batch)

        return recorded

    fitter._steps = {name: spy(name, step) for name, step in fitter._steps.items()}
    fitter.run(3, silent)
    assert mined == ["semi-hard", "hard", "hard"]


def test_heads_start_as_the_discriminant_with_the_senses_aligned(split: Split) -> None:
    """Before any step, each sample is nearest to its own species' mean, by either sense."""
    heads = Fitter(split, SETUP).heads
    senses = (
        (heads.embed_images(split.images), split.image_labels),
        (heads.embed_audio(split.audio), split.audio_labels),
    )
    means = [
        np.stack([vectors[labels == label].mean(axis=0) for label in range(3)])
        for vectors, labels in senses
    ]
    for (vectors, labels), mean in zip(senses, means, strict=True):
        np.testing.assert_array_equal((vectors @ mean.T).argmax(axis=1), labels)
    np.testing.assert_array_equal((means[0] @ means[1].T).argmax(axis=1), [0, 1, 2])


def test_the_image_projection_starts_on_all_pooled_views_and_the_rest_on_the_plain_one(
    features: FeatureSet,
) -> None:
    rng = np.random.default_rng(0)
    images = [
        replace(image, tuned=image.load() + rng.normal(size=(3, 2 * CHANNELS)).astype(np.float32))
        for image in features.images
    ]
    split = make_split(replace(features, images=tuple(images)))
    heads = Fitter(split, SETUP).heads
    views = np.concatenate([image.load_pooled() for image in images])
    assert len(views) == 3 * len(images)
    kernel, bias = weighted_discriminant(views, np.repeat(split.image_labels, 3), IMAGE_PEAK_WEIGHT)
    np.testing.assert_allclose(
        heads.embed_images(images), unit(views[::3] @ kernel + bias), atol=1e-5
    )


def test_the_image_projection_learns_at_its_share_of_the_rate(split: Split) -> None:
    fresh = Fitter(split, SETUP).heads
    moved = [
        [
            np.abs(now - before).max()
            for now, before in zip(tower.get_weights(), was.get_weights(), strict=True)
        ]
        for share in (1.0, 0.1)
        for tower, was in zip(
            fit(split, epochs=1, config=replace(CONFIG, image_rate=share)).heads.models[:2],
            fresh.models[:2],
            strict=True,
        )
    ]
    image, audio, slow_image, slow_audio = moved
    # Whatever the gradient, the first step of Adam moves each weight by the rate.
    np.testing.assert_allclose(image, CONFIG.learning_rate, rtol=0.05)
    np.testing.assert_allclose(slow_image, 0.1 * CONFIG.learning_rate, rtol=0.05)
    np.testing.assert_allclose(slow_audio, audio, rtol=0.05)


@pytest.mark.parametrize("sense", EACH_SENSE)
def test_a_split_of_one_sense_is_fitted(features: FeatureSet, sense: Sense) -> None:
    images, audio = (features.images, ()) if sense == Sense.IMAGE else ((), features.audio)
    fitter = fit(make_split(FeatureSet(images, audio, ())), epochs=1)
    assert np.isfinite(fitter.history[0].loss)
    assert all(np.isfinite(weight).all() for weight in fitter.heads.get_weights())
    assert fitter.heads.embed_images(()).shape == fitter.heads.embed_audio(()).shape == (0, 128)


def test_a_collapse_is_logged_and_leaves_finite_weights(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When all features are equal, no species can be separated, and the loss is the margin."""
    features = make_features(tmp_path, "abc", FEW)
    for found in (features.images, features.audio):
        same = found[0].load()
        for feature in found:
            np.save(feature.cached, same)
    caplog.set_level(logging.WARNING)
    fitter = fit(make_split(features), epochs=1)
    assert fitter.history[0].loss == pytest.approx(CONFIG.margin, abs=1e-3)
    assert all(np.isfinite(weight).all() for weight in fitter.heads.get_weights())
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(
        "the embeddings collapse to one point: loss 1.5000 at margin 1.5,"
    )


def test_a_normal_fit_logs_no_warning(split: Split, caplog: pytest.LogCaptureFixture) -> None:
    fit(split, epochs=1)
    assert not caplog.messages


def test_the_weights_of_the_heads_are_written_and_read_again(whole: Fitter, tmp_path: Path) -> None:
    whole.save_weights(tmp_path / "heads.npz")
    loaded = load_heads(tmp_path / "heads.npz", CHANNELS, YAMNET)
    for one, two in zip(loaded.get_weights(), whole.heads.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert loaded.fusion_weights().gain == np.float32(0.3)


METRICS = EpochMetrics(epoch=1, loss=0.25, active=0.5, d_ap=0.1, d_an=0.2, spread=0.9)


def test_the_history_has_one_line_per_epoch_after_an_interruption(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    first = History(path)
    first.add("fold 1/5", METRICS)
    first.add("final", METRICS)
    resumed = History(path)
    resumed.add("fold 1/5", replace(METRICS, loss=0.125))
    resumed.add("final", replace(METRICS, epoch=2))
    assert path.read_text().splitlines() == [
        "stage,epoch,loss,active,d_ap,d_an,spread",
        "fold 1/5,1,0.125000,0.500000,0.100000,0.200000,0.900000",
        "final,1,0.250000,0.500000,0.100000,0.200000,0.900000",
        "final,2,0.250000,0.500000,0.100000,0.200000,0.900000",
    ]
    assert [row["stage"] for row in History(path).rows()] == ["fold 1/5", "final", "final"]
