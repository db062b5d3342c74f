from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

from fabricated import CHANNELS, Counts, make_features, make_split

from birdfield.model.audio_specs import YAMNET
from birdfield_train.batches import BOTH_SHARE, Batch, BatchMaker
from birdfield_train.features import FeatureSet
from birdfield_train.samples import Split

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    """Five species, each with 4 photographs and 3 recordings of 2 clips."""
    return make_features(tmp_path_factory.mktemp("features"), "abcde")


@pytest.fixture
def split(features: FeatureSet) -> Split:
    return make_split(features)


def draw(split: Split, species: int, samples: int, seed: int = 0) -> Batch:
    return BatchMaker(split, species, samples, CHANNELS, YAMNET).draw(np.random.default_rng(seed))


def shares(batch: Batch) -> NDArray[np.float64]:
    """Return the shares of samples with both senses, with image only and with audio only."""
    kinds = [[1, 1], [1, 0], [0, 1]]
    return np.array([(batch.presence == kind).all(axis=1).mean() for kind in kinds])


def test_a_batch_has_the_given_numbers_of_species_and_samples(split: Split) -> None:
    batch = draw(split, 3, 4)
    labels, counts = np.unique(batch.labels, return_counts=True)
    assert len(labels) == 3 and counts.tolist() == [4, 4, 4]
    assert batch.pooled.shape == (12, 2 * CHANNELS)
    assert batch.sequences.shape == (12, YAMNET.patches_per_window, YAMNET.dim)
    assert batch.presence.shape == (12, 2)


def test_a_batch_has_at_most_the_species_of_the_split(split: Split) -> None:
    assert np.unique(draw(split, 16, 2).labels).tolist() == [0, 1, 2, 3, 4]


def test_either_sense_is_dropped_but_never_both(split: Split) -> None:
    """In 5 x 100 samples, shares of 0.5 and 0.25 have standard deviations of 0.022 and 0.019."""
    assert BOTH_SHARE == 0.5
    assert shares(draw(split, 5, 100)) == pytest.approx([0.5, 0.25, 0.25], abs=0.07)


def test_an_absent_sense_is_zeros_and_a_present_one_is_not(split: Split) -> None:
    batch = draw(split, 5, 20)
    has_image, has_audio = batch.presence.T == 1
    np.testing.assert_array_equal(np.abs(batch.pooled).max(axis=1) > 0, has_image)
    np.testing.assert_array_equal(np.abs(batch.sequences).max(axis=(1, 2)) > 0, has_audio)


def test_samples_hold_the_features_of_their_own_species(split: Split) -> None:
    batch = draw(split, 5, 8)
    for pooled, presence, label in zip(batch.pooled, batch.presence, batch.labels, strict=True):
        own = [
            feature.load()
            for feature, owner in zip(split.images, split.image_labels, strict=True)
            if owner == label
        ]
        assert not presence[0] or any((pooled == feature).all() for feature in own)


def test_a_species_of_one_sense_has_samples_of_that_sense(features: FeatureSet) -> None:
    images = tuple(feature for feature in features.images if feature.sample.label != "a")
    audio = tuple(feature for feature in features.audio if feature.sample.label != "b")
    batch = draw(make_split(FeatureSet(images, audio, ())), 5, 12)
    assert (batch.presence[batch.labels == 0] == [0, 1]).all()
    assert (batch.presence[batch.labels == 1] == [1, 0]).all()
    assert len(np.unique(batch.presence[batch.labels == 2], axis=0)) > 1


def test_samples_are_of_different_recordings_as_far_as_there_are_any(features: FeatureSet) -> None:
    """With three recordings, three samples use each once, and six samples use each twice."""
    split = make_split(FeatureSet((), features.audio, ()))
    for samples, times in ((3, 1), (6, 2)):
        batch = draw(split, 5, samples)
        for label in range(5):
            _, counts = np.unique(batch.recordings[batch.labels == label], return_counts=True)
            assert counts.tolist() == [times] * 3


def test_samples_are_of_different_photographs_as_far_as_there_are_any(features: FeatureSet) -> None:
    batch = draw(make_split(FeatureSet(features.images, (), ())), 5, 4)
    assert len(np.unique(batch.pooled, axis=0)) == len(np.unique(batch.recordings)) == 20


def test_recordings_are_unique_over_species_and_apart_from_photographs(split: Split) -> None:
    batch = draw(split, 5, 40)
    image_only = batch.presence[:, 1] == 0
    owners = {
        (int(recording), int(label), bool(alone))
        for recording, label, alone in zip(batch.recordings, batch.labels, image_only, strict=True)
    }
    assert len({recording for recording, _, _ in owners}) == len(owners)


def test_a_seed_decides_the_batch(split: Split) -> None:
    for first, second in zip(
        vars(draw(split, 3, 4, 7)).values(), vars(draw(split, 3, 4, 7)).values(), strict=True
    ):
        np.testing.assert_array_equal(first, second)
    assert (draw(split, 3, 4, 7).pooled != draw(split, 3, 4, 8).pooled).any()


def test_a_short_clip_is_repeated_and_a_long_one_cut_at_any_place(tmp_path: Path) -> None:
    """4 patches fill 10 as 4 + 4 + 2; a window of 25 patches starts at one of the first 16."""
    short = make_split(make_features(tmp_path, "ab", Counts(images=0, frames=4)))
    window = draw(short, 1, 1).sequences[0]
    np.testing.assert_array_equal(window, np.concatenate([window[:4], window[:4], window[:2]]))
    counts = Counts(images=0, recordings=1, clips=1, frames=25)
    features = make_features(tmp_path, "cd", counts)
    whole = [feature.load() for feature in features.audio]
    starts = {
        int(np.flatnonzero((whole[label] == window[0]).all(axis=1))[0])
        for batch in (draw(make_split(features), 2, 30),)
        for label, window in zip(batch.labels, batch.sequences, strict=True)
    }
    assert min(starts) >= 0 and max(starts) <= 15 and len(starts) > 8
