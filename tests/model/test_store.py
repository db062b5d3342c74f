from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import at, make_bundle
from stores import enrolled, store_of

from birdfield.errors import InputError
from birdfield.model.bundle import Bundle
from birdfield.model.sense import Sense
from birdfield.model.species import Species
from birdfield.model.store import Store, parse_store, respelled


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path / "m.birdfield")


def with_entry(**changes: object) -> Callable[[Store], Store]:
    return lambda store: replace(store, enrolled={"Owl": replace(store.enrolled["Owl"], **changes)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        with_entry(hashes=("a",)),
        with_entry(senses=(Sense.IMAGE, "smell")),
        with_entry(senses=(Sense.IMAGE,)),
        with_entry(vectors=np.zeros((3, 128), np.float32)),
        with_entry(hashes=(), senses=()),
        with_entry(vectors=np.full((2, 128), np.nan, np.float32)),
        with_entry(species=Species("")),
        with_entry(species=Species("x" * 300)),
        with_entry(species=Species("O\0wl")),
    ],
    ids=range(9),
)
def test_a_store_with_a_correct_checksum_is_still_checked(
    bundle: Bundle, change: Callable[[Store], Store]
) -> None:
    data = change(store_of(bundle, enrolled("Owl", (Sense.IMAGE, 1), (Sense.AUDIO, 2)))).dump()
    with pytest.raises(InputError):
        parse_store(data, "species.store")


def test_a_store_gets_the_labels_that_the_bundle_has_now(bundle: Bundle) -> None:
    """The bundle's labels have gained hyphens, and the store was written before that.

    "Tree-tit" was a second species beside "Tree tit": now their samples, two with one repeat in
    both, are of one species. "Owl" is the user's own, and "Wood jay" was renamed.
    """
    old = replace(
        store_of(
            bundle,
            enrolled("Tree tit", (Sense.IMAGE, 10)),
            replace(
                enrolled("Tree tit", (Sense.IMAGE, 10), (Sense.AUDIO, 20)),
                species=Species("Tree-tit"),
            ),
            enrolled("Owl", (Sense.IMAGE, 200)),
        ),
        removed=frozenset({"Grey wren"}),
        renamed={"Wood jay": "Häher"},
    )
    store = respelled(old, ["Tree-Tit", "Gray Wren", "Wood-Jay"])
    assert store.removed == {"Gray Wren"} and store.renamed == {"Wood-Jay": "Häher"}
    assert {label: entry.hashes for label, entry in store.enrolled.items()} == {
        "Tree-Tit": ("Tree tit 0", "Tree tit 1"),
        "Owl": ("Owl 0",),
    }
    both = store.enrolled["Tree-Tit"]
    assert both.species.label == "Tree-Tit" and both.senses == (Sense.IMAGE, Sense.AUDIO)
    assert np.array_equal(both.vectors, np.stack([at(10), at(20)]))


def test_labels_of_a_bundle_that_differ_by_a_hyphen_stay_apart(bundle: Bundle) -> None:
    """A bundle that was trained on both spellings has two species, each with its own samples."""
    labels = ("Tree-tit", "Tree tit")
    store = store_of(bundle, *(enrolled(label, (Sense.IMAGE, 10)) for label in labels))
    assert tuple(respelled(store, labels).enrolled) == labels
