from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import make_bundle
from stores import enrolled, store_of

from birdfield.errors import InputError
from birdfield.model.bundle import Bundle
from birdfield.model.sense import Sense
from birdfield.model.species import Species
from birdfield.model.store import Store, parse_store


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
