from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed: birdfield[train]")

from fakes import BluePitch, at, factory

from birdfield.recognise.embed import read_photograph
from birdfield.signals.audio import read_audio
from birdfield.signals.usability import window_fault
from birdfield_train import background_data
from birdfield_train.background import (
    MAX_CENTRES,
    background_prototypes,
    spherical_kmeans,
    with_background,
)
from birdfield_train.background_pictures import PICTURES
from birdfield_train.background_sounds import SOUNDS

pytestmark = pytest.mark.train


def test_two_clusters_have_their_means_as_centres() -> None:
    """They are symmetric about 10 and about 200 degrees."""
    clusters = np.stack(
        [at(middle + offset) for middle in (10, 200) for offset in (-2, -1, 0, 1, 2)]
    )
    found = spherical_kmeans(clusters, 2, np.random.default_rng(0))
    assert np.allclose(np.sort(found @ at(10)), np.sort([1, np.cos(np.radians(190))]), atol=1e-3)


def test_there_are_never_more_centres_than_vectors() -> None:
    few = np.stack([at(0), at(90)])
    assert spherical_kmeans(few, 5, np.random.default_rng(0)).shape == (2, 128)
    assert spherical_kmeans(few[:0], 5, np.random.default_rng(0)).shape == (0, 128)


def test_each_sense_and_pairs_have_prototypes() -> None:
    """30 photographs are at 0 degrees, 20 recordings at 90, and their pairs at 45."""
    images, audio = np.repeat(at(0)[None], 30, axis=0), np.repeat(at(90)[None], 20, axis=0)
    vectors, senses = background_prototypes(BluePitch().fuse, images, audio)
    assert senses.dtype == np.uint8 and np.bincount(senses).tolist() == [MAX_CENTRES] * 3
    for sense, degrees in enumerate((0, 90, 45)):
        assert np.allclose(vectors[senses == sense], at(degrees), atol=1e-5)


def test_one_sense_has_no_prototypes_of_pairs_and_no_sense_has_none() -> None:
    none = np.zeros((0, 128), np.float32)
    _, senses = background_prototypes(BluePitch().fuse, at(0)[None], none)
    assert senses.tolist() == [0]
    gallery = with_background(factory(), BluePitch().fuse, none, none)
    assert gallery.background_vectors.shape == (0, 128) and gallery.background_senses.shape == (0,)


def test_generated_background_is_usable_varied_and_always_the_same(tmp_path: Path) -> None:
    for name in ("one", "two"):
        images, audio = background_data.write_background(tmp_path / name)
        pictures, sounds = sorted(images.iterdir()), sorted(audio.iterdir())
        assert len(pictures) == len(sounds) == background_data.COUNT
    for path in pictures:
        read_photograph(path)  # raises an error for a dark or an even picture
    assert not any(window_fault(read_audio(path, 16_000)) for path in sounds)
    for path in (*pictures, *sounds):
        other = tmp_path / "one" / path.relative_to(tmp_path / "two")
        assert path.read_bytes() == other.read_bytes()
    assert len({path.read_bytes() for path in (*pictures, *sounds)}) == 2 * background_data.COUNT
    kinds = {path.name.partition("__")[0] for path in (*pictures, *sounds)}
    assert kinds == {*PICTURES, *SOUNDS}
