from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import BluePitch, at, factory, make_bundle
from stores import enrolled, store_of

from birdfield.model.bundle import Bundle
from birdfield.model.merged_gallery import merged_gallery
from birdfield.model.sense import Sense
from birdfield.model.store import Store
from birdfield.model.store_file import load_store
from birdfield.recognise.decide import decide


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path / "m.birdfield")


def test_without_a_store_the_gallery_is_that_of_the_bundle(bundle: Bundle) -> None:
    assert load_store(bundle) == Store(bundle.model_id)
    gallery = merged_gallery(bundle, load_store(bundle), BluePitch().fuse)
    assert gallery.labels == ("Jay", "Robin", "Wren")


def test_an_enrolled_species_has_a_prototype_for_each_set_of_senses(bundle: Bundle) -> None:
    """Pictures at 190 and 210 degrees, a sound at 220: means at 200 and 220, of pairs at 210.

    The factory's photographs and pairs have one centre, so an average sound leaves a pair at 200;
    with one recording it counts as much as the recording: 205.
    """
    owl = enrolled("Owl", (Sense.IMAGE, 190), (Sense.IMAGE, 210), (Sense.AUDIO, 220))
    gallery = merged_gallery(bundle, store_of(bundle, owl), BluePitch().fuse)
    assert gallery.labels == ("Jay", "Robin", "Wren", "Owl")
    own = gallery.owner == 3
    # The means by sight, sound and both, which is longer; then each photograph.
    assert gallery.senses[own].tolist() == [0, 1, 2, 0, 0]
    assert np.allclose(
        gallery.vectors[own], [at(200), at(220), 1.1 * at(205), at(190), at(210)], atol=1e-3
    )
    assert np.allclose(gallery.thresholds[3], bundle.calibration.threshold)


@pytest.mark.parametrize(("photographs", "length"), [(1, 1.1), (5, 1.1), (10, 1.05), (50, 1.01)])
def test_the_prototype_of_both_is_longer_for_fewer_photographs(
    bundle: Bundle, photographs: int, length: float
) -> None:
    owl = enrolled("Owl", *[(Sense.IMAGE, 200)] * photographs, (Sense.AUDIO, 200))
    gallery = merged_gallery(bundle, store_of(bundle, owl), BluePitch().fuse)
    both = gallery.vectors[(gallery.owner == 3) & (gallery.senses == 2)]
    assert np.allclose(both, [length * at(200)], atol=1e-3)


def test_the_similarity_to_an_enrolled_file_is_at_most_1(bundle: Bundle) -> None:
    owl = enrolled("Owl", (Sense.IMAGE, 200), (Sense.AUDIO, 200))
    gallery = merged_gallery(bundle, store_of(bundle, owl), BluePitch().fuse)
    decision = decide(BluePitch(), gallery, at(200), at(200))
    assert decision.species == "Owl" and decision.similarity == 1.0


def test_more_samples_of_a_factory_species_do_not_lengthen_prototypes(bundle: Bundle) -> None:
    robin = enrolled("Robin", (Sense.IMAGE, 80), (Sense.AUDIO, 80))
    more = merged_gallery(bundle, store_of(bundle, robin), BluePitch().fuse)
    assert np.allclose(np.linalg.norm(more.vectors, axis=1), 1, atol=1e-3)


def test_more_samples_of_a_factory_species_add_prototypes(bundle: Bundle) -> None:
    """The robin is at 60 degrees, and a sample at 80; birds at both angles have the cosine 1."""
    more = merged_gallery(
        bundle, store_of(bundle, enrolled("Robin", (Sense.IMAGE, 80))), BluePitch().fuse
    )
    assert more.labels == ("Jay", "Robin", "Wren")
    assert np.allclose(more.similarities(at(80)[None], Sense.IMAGE)[0, 1], 1)
    assert np.allclose(more.similarities(at(60)[None], Sense.IMAGE)[0, 1], 1)


def test_a_removed_species_loses_all_its_prototypes(bundle: Bundle) -> None:
    """Without the robin at 60 degrees, the jay at 0 and the wren at 120 are equally near it."""
    gone = replace(Store(bundle.model_id), removed=frozenset({"Robin"}))
    gallery = merged_gallery(bundle, gone, BluePitch().fuse)
    assert gallery.labels == ("Jay", "Wren") and gallery.owner.tolist() == [0] * 3 + [1] * 3
    assert np.allclose(gallery.similarities(at(60)[None], Sense.IMAGE), [[0.5, 0.5]], atol=1e-6)
    assert gallery.thresholds.shape == (2, 3)


def test_background_prototypes_stay_with_every_change(bundle: Bundle) -> None:
    gallery = replace(
        factory(), background_vectors=at(200)[None], background_senses=np.array([1], np.uint8)
    )
    (bundle.folder / "species.npz").write_bytes(gallery.dump())
    changed = replace(
        store_of(bundle, enrolled("Owl", (Sense.IMAGE, 90))),
        removed=frozenset({"Jay"}),
        renamed={"Wren": "Winter Wren"},
    )
    gallery = merged_gallery(bundle, changed, BluePitch().fuse)
    assert gallery.labels == ("Robin", "Winter Wren", "Owl")
    assert np.array_equal(gallery.background_vectors, at(200)[None])
    assert gallery.background_senses.tolist() == [1]


def test_all_factory_species_may_be_removed(bundle: Bundle) -> None:
    gone = replace(
        store_of(bundle, enrolled("Owl", (Sense.IMAGE, 5))),
        removed=frozenset({"Jay", "Robin", "Wren"}),
    )
    assert merged_gallery(bundle, gone, BluePitch().fuse).labels == ("Owl",)


def test_a_renamed_species_keeps_its_prototypes(bundle: Bundle) -> None:
    named = replace(Store(bundle.model_id), renamed={"Jay": "Häher"})
    gallery = merged_gallery(bundle, named, BluePitch().fuse)
    assert gallery.labels == ("Häher", "Robin", "Wren")
    assert np.array_equal(gallery.vectors, bundle.factory_gallery().vectors)
