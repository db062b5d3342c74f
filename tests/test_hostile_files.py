"""Hostile files: every damage of a file from elsewhere ends in one InputError."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import CALIBRATION, at, factory, make_bundle, manifest_of, write_manifest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from birdfield.arrays import dump_arrays
from birdfield.errors import InputError
from birdfield.model.bundle import MANIFEST, load_bundle
from birdfield.model.gallery import load_gallery
from birdfield.model.sense import Sense
from birdfield.model.species import Species
from birdfield.model.store import MAGIC, Enrolled, Store, parse_store

FLIPS = 150
CUTS = [
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    15,
    16,
    31,
    32,
    63,
    64,
    127,
    128,
    255,
    256,
    511,
    512,
    1023,
    1024,
    2047,
    2048,
]
STORE = Store(
    "model",
    {"Owl": Enrolled(Species("Owl"), ("a",), (Sense.IMAGE,), at(9)[None])},
    frozenset({"Jay"}),
    {"Wren": "Zaunkönig"},
)

Load = Callable[[bytes], object]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("hostile") / "m.birdfield").folder


def load_manifest(folder: Path, data: bytes) -> object:
    (folder / MANIFEST).write_bytes(data)
    return load_bundle(folder)


@pytest.fixture(params=["manifest", "species", "store"])
def kind(request: pytest.FixtureRequest, folder: Path) -> tuple[bytes, Load]:
    """Return the content of an undamaged file, and the function that reads it."""
    if request.param == "manifest":
        return (json.dumps(manifest_of(folder)).encode(), lambda data: load_manifest(folder, data))
    if request.param == "species":
        return factory().dump(), lambda data: load_gallery(data, CALIBRATION, "species.npz")
    return STORE.dump(), lambda data: parse_store(data, "species.store")


def test_a_whole_file_is_read(kind: tuple[bytes, Load]) -> None:
    whole, load = kind
    assert load(whole)


def test_a_file_cut_anywhere_ends_in_one_error(kind: tuple[bytes, Load]) -> None:
    whole, load = kind
    for length in {*CUTS, *(len(whole) - cut for cut in CUTS if cut)}:
        if length < len(whole):
            with pytest.raises(InputError):
                load(whole[:length])


def test_flipped_bits_end_in_at_most_one_error(
    kind: tuple[bytes, Load],
) -> None:
    """A manifest and a gallery have no checksum, so that they may remain readable."""
    whole, load = kind
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(FLIPS):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), rng.integers(1, 5)):
            damaged[place] ^= 1 << rng.integers(8)
        try:
            load(bytes(damaged))
        except InputError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > FLIPS / 3


def test_every_flipped_bit_of_a_store_is_noticed() -> None:
    whole = STORE.dump()
    for place in np.random.default_rng(0).integers(0, len(whole), FLIPS):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        with pytest.raises(InputError, match="the store is damaged"):
            parse_store(bytes(damaged), "species.store")


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.binary(max_size=3000))
def test_any_bytes_end_in_one_error(kind: tuple[bytes, Load], data: bytes) -> None:
    with pytest.raises(InputError):
        kind[1](data)


def with_checksum(body: bytes) -> bytes:
    return MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def store_with(entries: object) -> bytes:
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return with_checksum(
        dump_arrays(
            {"entries": np.frombuffer(text, np.uint8), "vectors": np.zeros((1, 128), np.float32)}
        )
    )


def gallery_with(entries: object) -> bytes:
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    whole = factory()
    return dump_arrays(
        {
            "species": np.frombuffer(text, np.uint8),
            "vectors": whole.vectors,
            "owner": whole.owner,
            "senses": whole.senses,
            "thresholds": whole.thresholds,
        }
    )


JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "label",
                    "names",
                    "scientific",
                    "species",
                    "hashes",
                    "senses",
                    "model",
                    "enrolled",
                    "removed",
                    "renamed",
                    "de",
                ]
            )
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(entries=JUNK)
def test_any_entries_of_a_store_end_in_one_error(entries: object) -> None:
    with pytest.raises(InputError):
        parse_store(store_with(entries), "species.store")


@settings(max_examples=100, deadline=None)
@given(key=st.sampled_from(["model", "enrolled", "removed", "renamed"]), value=JUNK)
def test_a_store_with_one_wrong_part_ends_in_one_error(key: str, value: object) -> None:
    """The store has a vector without a sample, so that no value is valid."""
    entries = {"model": "m", "enrolled": [], "removed": [], "renamed": {}, key: value}
    with pytest.raises(InputError):
        parse_store(store_with(entries), "species.store")


@settings(max_examples=150, deadline=None)
@given(entries=JUNK)
def test_any_entries_of_a_gallery_end_in_one_error(entries: object) -> None:
    with pytest.raises(InputError):
        load_gallery(gallery_with(entries), CALIBRATION, "species.npz")


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    key=st.sampled_from(
        [
            "dim",
            Sense.IMAGE,
            Sense.AUDIO,
            "frontend",
            "yamnet",
            "calibration",
            "model",
            "files",
            "format",
        ]
    ),
    value=JUNK,
)
def test_a_manifest_with_one_wrong_part_ends_in_one_error(
    folder: Path, key: str, value: object
) -> None:
    entries = manifest_of(folder)
    if key in ("dim", "format") and value == entries[key]:
        value = None
    write_manifest(folder, {**entries, key: value})
    with pytest.raises(InputError):
        load_bundle(folder)


@pytest.mark.parametrize(
    "entries",
    [b"[" * 200_000, b'{"enrolled":' * 100_000, b"\xff", b""],
    ids=["lists", "objects", "not text", "empty"],
)
@pytest.mark.parametrize(
    "load",
    [
        lambda data: parse_store(store_with(data), "species.store"),
        lambda data: load_gallery(gallery_with(data), CALIBRATION, "species.npz"),
    ],
    ids=["store", "species"],
)
def test_deep_nesting_ends_in_one_error(load: Load, entries: bytes) -> None:
    with pytest.raises(InputError):
        load(entries)


@pytest.mark.parametrize("label", ["../Jay", "/etc/passwd", "..", "Jay/Wren", "C:\\Jay"])
def test_a_label_is_a_name_and_never_a_path(label: str, tmp_path: Path) -> None:
    """Labels never name files, so that such a label is harmless text."""
    entry = Enrolled(Species(label), ("a",), (Sense.IMAGE,), at(9)[None])
    found = parse_store(Store("model", {label: entry}).dump(), "species.store")
    assert list(found.enrolled) == [label]
