import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

import tensorflow as tf
from tiny_training import SILENT, build_base, make_config, quicken, tiny_backbone, write_data

from birdfield.errors import InputError
from birdfield.model.encoder import unit
from birdfield.model.sense import Sense
from birdfield.model.yamnet import Yamnet
from birdfield.paths import PACKAGED_YAMNET
from birdfield.recognise.dataset import Sample, scan_dataset
from birdfield.signals.image import preprocess, read_image
from birdfield_train import pipeline
from birdfield_train.backbones import Backbone, Tuning, get_backbone
from birdfield_train.config import Reporter, TrainConfig
from birdfield_train.extractors import extractors_of
from birdfield_train.features import Feature, extract
from birdfield_train.fine_tune import Tail, load_tail, tuned_tail
from birdfield_train.fused_encoder import image_tower
from birdfield_train.history import EpochMetrics
from birdfield_train.manifest import FORMAT
from birdfield_train.pipeline import train
from birdfield_train.run_encoder import Run, RunEncoder
from birdfield_train.samples import Split
from birdfield_train.selection import Grid

pytestmark = pytest.mark.train

SHAPE = (4, 4, 5)  # of the maps before the tail
CHANNELS = 12
TUNING = Tuning(
    "stage", views=4, epochs=4, learning_rate=3e-3, species_per_batch=2, samples_per_species=4
)
ONCE = replace(TUNING, epochs=1)


def build() -> keras.Model:
    """Build a base whose layer "stage" returns the picture, with a convolution after it."""
    image = keras.Input(SHAPE)
    maps = keras.layers.Activation("linear", name="stage")(image)
    base = keras.Model(
        image, keras.layers.Conv2D(CHANNELS, 3, padding="same", activation="relu")(maps)
    )
    rng = np.random.default_rng(1)
    base.set_weights([0.2 * rng.normal(size=weight.shape) for weight in base.get_weights()])
    return base


BACKBONE = replace(
    get_backbone("efficientnet-lite0"),
    name="toy",
    channels=CHANNELS,
    build=build,
    key="toy",
    tuning=TUNING,
)


def make_views(folder: Path, species: int = 2, photographs: int = 6, seed: int = 0) -> Split:
    """Generate species that differ in the order of their columns, and in no channel's mean."""
    rng = np.random.default_rng(seed)
    images: list[Feature] = []
    for label in range(species):
        pattern = np.roll(np.array([1, 1, -1, -1.0]), label)[None, None, :, None]
        for index in range(photographs):
            views = pattern + 1.2 * rng.normal(size=(TUNING.views + 1, *SHAPE))
            path = folder / f"{label}-{seed}-{index}.npy"
            np.save(path, views.astype(np.float16))
            images.append(Feature(Sample(path, str(label), Sense.IMAGE, str(index)), path))
    labels = np.repeat(np.arange(species), photographs)
    return Split(images, [], labels, np.zeros(0, np.int64), species)


def silent(*_: Any) -> None:
    pass


def test_pooling_returns_the_mean_and_the_peak_of_the_tails_maps_of_the_plain_view(
    tmp_path: Path,
) -> None:
    images = make_views(tmp_path).images
    pooled = Tail(BACKBONE, TUNING).pool(images)
    maps = np.asarray(build()(np.stack([image.load_view(0) for image in images])))
    expected = np.concatenate([maps.mean(axis=(1, 2)), maps.max(axis=(1, 2))], axis=1)
    assert expected.shape == (len(images), 2 * CHANNELS)
    np.testing.assert_allclose([image.load() for image in pooled], expected, rtol=1e-4, atol=1e-5)
    assert [image.cached for image in pooled] == [image.cached for image in images]
    assert images[0].tuned is None and pooled[0].tuned is not None


def test_other_views_are_pooled_on_request(tmp_path: Path) -> None:
    images = make_views(tmp_path).images
    pooled = Tail(BACKBONE, TUNING).pool(images, 2)
    for feature, plain in zip(pooled, images, strict=True):
        maps = np.asarray(build()(np.stack([plain.load_view(view) for view in range(3)])))
        expected = np.concatenate([maps.mean(axis=(1, 2)), maps.max(axis=(1, 2))], axis=1)
        np.testing.assert_allclose(feature.load_pooled(), expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(feature.load(), feature.load_pooled()[0])


def test_more_photographs_than_a_chunk_are_pooled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = make_views(tmp_path).images
    tail = Tail(BACKBONE, TUNING)
    expected = [image.load() for image in tail.pool(images)]
    monkeypatch.setattr("birdfield_train.fine_tune.CHUNK", 5)
    np.testing.assert_allclose([image.load() for image in tail.pool(images)], expected, rtol=1e-5)
    assert tail.pool([]) == []


def test_a_view_is_read_by_its_number_as_32_bits(tmp_path: Path) -> None:
    views = np.arange(2 * 3, dtype=np.float16).reshape(2, 1, 1, 3)
    np.save(tmp_path / "views.npy", views)
    feature = Feature(Sample(tmp_path / "0.jpg", "Wren", Sense.IMAGE, "0"), tmp_path / "views.npy")
    np.testing.assert_array_equal(feature.load_view(1), [[[3, 4, 5]]])
    assert feature.load_view(1).dtype == np.float32


def separation(tail: Tail, split: Split) -> float:
    """Return the mean cosine to the own species' mean, less that to the other species' mean."""
    labels = split.image_labels
    vectors = np.stack([image.load() for image in tail.pool(split.images)])
    vectors = unit(vectors - vectors.mean(axis=0))
    means = unit(np.stack([vectors[labels == label].mean(axis=0) for label in (0, 1)]))
    cosine = vectors @ means.T
    rows = np.arange(len(labels))
    return float((cosine[rows, labels] - cosine[rows, 1 - labels]).mean())


def test_tuning_lowers_the_loss_and_separates_species_on_other_photographs(tmp_path: Path) -> None:
    """24 photographs of each species are fitted, and 24 others are only tested."""
    split = make_views(tmp_path, photographs=24)
    unseen = make_views(tmp_path, photographs=24, seed=1)
    tail = Tail(BACKBONE, TUNING)
    before = separation(tail, unseen)
    calls: list[tuple[int, EpochMetrics]] = []
    tail.tune(split, 0, lambda epochs, metrics: calls.append((epochs, metrics)))
    measured = [metrics for _, metrics in calls]
    assert [epochs for epochs, _ in calls] == [4] * 4
    assert [metrics.epoch for metrics in measured] == [1, 2, 3, 4]
    assert all(np.isfinite(list(vars(metrics).values())).all() for metrics in measured)
    gaps = [metrics.d_an - metrics.d_ap for metrics in measured]
    assert gaps[-1] > gaps[0] and measured[-1].active < measured[0].active
    assert separation(tail, unseen) > before + 0.1


def test_tuning_is_seeded(tmp_path: Path) -> None:
    split = make_views(tmp_path)
    weights = []
    for seed in (5, 5, 6):
        tail = Tail(BACKBONE, ONCE)
        tail.tune(split, seed, silent)
        weights.append(tail.model.get_weights())
    for one, two in zip(weights[0], weights[1], strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(weights[0][0], weights[2][0])


@pytest.mark.parametrize("species", [0, 1])
def test_fewer_than_two_species_keep_the_packaged_weights(tmp_path: Path, species: int) -> None:
    calls: list[EpochMetrics] = []
    tail = Tail(BACKBONE, TUNING)
    tail.tune(make_views(tmp_path, species), 0, lambda _, metrics: calls.append(metrics))
    assert not calls
    for found, packaged in zip(tail.model.get_weights(), build().get_weights(), strict=True):
        np.testing.assert_array_equal(found, packaged)


def test_a_base_without_tuning_is_frozen(tmp_path: Path) -> None:
    split, path = make_views(tmp_path), tmp_path / "tail.npz"
    assert tuned_tail(replace(BACKBONE, tuning=None), split, 0, path, silent) is None
    assert not path.exists()


def test_the_weights_of_an_interrupted_run_are_loaded_and_not_tuned_again(tmp_path: Path) -> None:
    split, path = make_views(tmp_path), tmp_path / "tail.npz"
    calls: list[EpochMetrics] = []

    def tune() -> Tail:
        backbone = replace(BACKBONE, tuning=ONCE)
        tail = tuned_tail(backbone, split, 0, path, lambda _, metrics: calls.append(metrics))
        assert tail is not None
        return tail

    first = tune()
    second = tune()
    assert len(calls) == 1
    for one, two, kept in zip(
        first.model.get_weights(), second.model.get_weights(), load_tail(path), strict=True
    ):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, kept)
    for before, after in zip(first.pool(split.images), second.pool(split.images), strict=True):
        np.testing.assert_array_equal(before.load(), after.load())


def test_weights_are_saved_in_the_order_of_the_layers(tmp_path: Path) -> None:
    """Lite0's tail has more than ten weights, and "weight10" does not precede "weight2"."""
    backbone = get_backbone("efficientnet-lite0")
    path = tmp_path / "tail.npz"
    labels = np.zeros(0, np.int64)
    tail = tuned_tail(backbone, Split([], [], labels, labels, 0), 0, path, silent)
    assert tail is not None and len(load_tail(path)) > 10
    for found, kept in zip(tail.model.get_weights(), load_tail(path), strict=True):
        np.testing.assert_array_equal(found, kept)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three species of 4 photographs and 3 recordings; read only."""
    folder = tmp_path_factory.mktemp("tuned") / "data"
    write_data(folder)
    return folder


def build_two_stages() -> keras.Model:
    """Build the tiny base in two stages: the maps of its first are cached, its last is tuned."""
    first = build_base()
    stage = keras.layers.Activation("linear", name="stage")(first.output)
    last = keras.layers.Conv2D(6, 3, activation="relu", name="last")
    base = keras.Model(first.input, last(stage))
    rng = np.random.default_rng(2)
    last.set_weights([0.2 * rng.normal(size=weight.shape) for weight in last.get_weights()])
    return base


def two_stages(name: str, weights: Path | None = None) -> Backbone:
    return replace(
        tiny_backbone(name),
        build=build_two_stages,
        key="two-stages",
        tuning=Tuning("stage", views=4, epochs=1, learning_rate=1e-4),
    )


def test_a_photograph_has_the_plain_view_and_others_which_are_always_the_same(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dataset = scan_dataset(data / "images", data / "audio", None, [Sense.IMAGE])
    backbone, frontend = two_stages("tiny"), Yamnet(PACKAGED_YAMNET)
    extractors = extractors_of(backbone, frontend)
    features = extract(dataset, extractors, silent)
    views = np.load(features.images[0].cached)
    base = build_base()
    plain = preprocess(read_image(features.images[0].sample.path), backbone.spec)
    assert views.shape == (TUNING.views + 1, *base.output_shape[1:])
    np.testing.assert_allclose(
        features.images[0].load_view(0), base.predict_on_batch(plain[None])[0], rtol=2e-3, atol=2e-3
    )
    assert len({view.tobytes() for view in views}) == TUNING.views + 1
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    again = extract(dataset, extractors, silent)
    np.testing.assert_array_equal(np.load(again.images[0].cached), views)


@pytest.fixture
def tuned(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Train with a base that has a tail, and draw no pictures."""
    quicken(monkeypatch)
    for name in ("inputs", "run_encoder"):
        monkeypatch.setattr(f"birdfield_train.{name}.get_backbone", two_stages)
    for name in ("draw_curves", "draw_confusion"):
        monkeypatch.setattr(pipeline, name, silent)
    yield
    tf.config.run_functions_eagerly(False)


def one_epoch(data: Path, folder: Path) -> TrainConfig:
    """Configure a run of one epoch per fit."""
    return replace(make_config(data, folder), grid=Grid(folds=2, epochs=(1,)))


def test_a_run_has_its_tail_and_an_interrupted_run_has_the_same_one(
    tuned: None, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run stops while the first fold's base is tuned, after it, and after the final one."""
    whole = train(one_epoch(data, tmp_path / "whole"), SILENT)
    config, partial = one_epoch(data, tmp_path / "run"), tmp_path / "run.partial"

    def stop_at(stage: str) -> Reporter:
        def epoch(name: str, *_: Any) -> None:
            if name == stage:
                raise KeyboardInterrupt

        return Reporter(SILENT.step, epoch, SILENT.say)

    checkpoints = partial / "checkpoints"
    kept = [checkpoints / "fold0-tail.npz", checkpoints / "fold1-tail.npz", partial / "tail.npz"]
    left: list[int] = []
    written: dict[Path, int] = {}
    for stage in ("fold 1/2 base", "fold 1/2", "final"):
        with pytest.raises(KeyboardInterrupt):
            train(config, stop_at(stage), resume=bool(left))
        left.append(sum(path.exists() for path in kept))
        assert all(path.stat().st_mtime_ns == time for path, time in written.items())
        written = {path: path.stat().st_mtime_ns for path in kept if path.exists()}
    assert left == [0, 1, 3]
    run = train(config, SILENT, resume=True)
    assert (run / "tail.npz").stat().st_mtime_ns == written[kept[2]]
    for name in ("tail.npz", "heads.npz", "species.npz"):
        with np.load(whole / name) as first, np.load(run / name) as second:
            assert first.files == second.files
            for key in first.files:
                np.testing.assert_array_equal(first[key], second[key], err_msg=f"{name}: {key}")
    for name in ("cv.json", "run.json", "history.csv"):
        assert (whole / name).read_text() == (run / name).read_text()
    assert "final base" in (run / "history.csv").read_text()
    assert json.loads((run / "run.json").read_text())["format"] == FORMAT
    check_tower(Run(run), data)
    (run / "tail.npz").unlink()
    with pytest.raises(
        InputError,
        match="run/tail.npz: cannot be read .No such file or directory."
        "; the run is damaged, so train it again",
    ):
        Run(run)


def check_tower(run: Run, data: Path) -> None:
    """Check that a run's tower has the tuned tail, on which the heads were trained."""
    packaged = build_two_stages().get_layer("last").get_weights()
    found = run.image_tower().get_layer("last").get_weights()
    assert not np.array_equal(found[0], packaged[0])
    for weight, kept in zip(found, load_tail(run.folder / "tail.npz"), strict=True):
        np.testing.assert_array_equal(weight, kept)
    bird = read_image(data / "images" / "Robin" / "0.png")
    frozen = image_tower(run.backbone, run.heads.image)
    vector = RunEncoder(run).image_vector(bird)
    plain = preprocess(bird, run.backbone.spec)[None]
    assert np.abs(unit(frozen.predict_on_batch(plain)[0]) - vector).max() > 1e-4
    fused = RunEncoder(run).fuse(vector, None)
    gallery = run.gallery()
    assert gallery.labels[gallery.similarities(fused[None], Sense.IMAGE).argmax()] == "Robin"


def test_a_run_of_sound_alone_keeps_the_packaged_tail(
    tuned: None, data: Path, tmp_path: Path
) -> None:
    config = replace(
        one_epoch(data, tmp_path / "run"), senses=Sense.AUDIO, image_dir=tmp_path / "not there"
    )
    run = Run(train(config, SILENT))
    packaged = build_two_stages().get_layer("last").get_weights()
    for weight, kept in zip(packaged, load_tail(run.folder / "tail.npz"), strict=True):
        np.testing.assert_array_equal(weight, kept)
