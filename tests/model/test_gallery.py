import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fakes import CALIBRATION, at, factory

from birdfield.errors import InputError
from birdfield.model.calibration import Calibration
from birdfield.model.gallery import Gallery, load_gallery, margin_over_unknown, parse_species
from birdfield.model.sense import Sense
from birdfield.model.species import Species


def gallery(prototypes: list[tuple[int, int, float]], species: int) -> Gallery:
    """Return a gallery with prototypes (species, sense, angle)."""
    owner, senses, degrees = zip(*prototypes, strict=True) if prototypes else ((), (), ())
    return Gallery(
        tuple(Species(f"species {row}") for row in range(species)),
        np.array([at(angle) for angle in degrees], np.float32).reshape(-1, 128),
        np.array(owner, np.int32),
        np.array(senses, np.uint8),
        np.zeros((species, 3), np.float32),
        CALIBRATION,
    )


def test_similarity_is_the_cosine_of_the_angle() -> None:
    """The prototypes are at 0, 60 and 120 degrees; the vectors at 0 and 60."""
    found = factory().similarities(np.stack([at(0), at(60)]), Sense.IMAGE)
    assert np.allclose(found, [[1, 0.5, -0.5], [0.5, 1, 0.5]], atol=1e-6)


def test_margin_over_unknown_is_the_distance_to_the_nearest_species_threshold() -> None:
    """By sound, species 0 needs 0.5 and 1 needs 0.9: 0.75 - 0.5 = 0.25, 0.8125 - 0.9 = -0.0875."""
    thresholds = np.array([[0, 0.5, 0], [0, 0.9, 0], [0, 0, 0]], np.float32)
    cosines = np.array([[0.75, 0.5, 0], [0.5, 0.8125, 0]], np.float32)
    far = np.full(2, -1, np.float32)
    known = margin_over_unknown(
        cosines, far, replace(factory(), thresholds=thresholds), Sense.AUDIO
    )
    assert np.allclose(known, [0.25, -0.0875], atol=1e-6)
    assert margin_over_unknown(cosines[:0], far[:0], factory(), Sense.IMAGE).shape == (0,)


def test_background_near_a_species_reduces_the_margin() -> None:
    """A species at 0.75, threshold 0.5, and background at 0.65, 0.72, 0.8: 0.25, -0.02, -0.1.

    At 0.375, below the threshold, background at 0.35 changes nothing: -0.125 < -0.025.
    """
    cosines = np.array([[0.75, 0, 0]] * 3 + [[0.375, 0, 0]], np.float32)
    background_similarities = np.array([0.65, 0.72, 0.8, 0.35], np.float32)
    known = margin_over_unknown(cosines, background_similarities, factory(), Sense.IMAGE)
    assert np.allclose(known, [0.25, -0.02, -0.1, -0.125], atol=1e-6)


def with_background(*prototypes: tuple[int, float]) -> Gallery:
    """Return the factory gallery with background prototypes (sense, angle)."""
    return replace(
        factory(),
        background_vectors=np.stack([at(angle) for _, angle in prototypes]),
        background_senses=np.array([sense for sense, _ in prototypes], np.uint8),
    )


def test_background_prototypes_of_the_vectors_own_sense_are_compared() -> None:
    """Pictures at 60 and 90 degrees, a sound at 180; from 0: cos 60 = 0.5, cos 180 = -1, none."""
    gallery = with_background((0, 60), (0, 90), (1, 180))
    found = [
        gallery.background_similarity(at(0)[None], sense).item()
        for sense in (Sense.IMAGE, Sense.AUDIO, Sense.BOTH)
    ]
    assert np.allclose(found, [0.5, -1, -1], atol=1e-6)
    assert factory().background_similarity(np.stack([at(0), at(9)]), Sense.IMAGE).tolist() == [
        -1,
        -1,
    ]


def test_the_best_prototype_of_a_species_counts() -> None:
    """Of 90 and 30 degrees, 30 is nearer to 0: cos(30 deg) = 0.8660."""
    several = gallery([(1, 0, 180), (0, 0, 90), (0, 0, 30)], species=2)
    assert np.allclose(several.similarities(at(0)[None], Sense.IMAGE), [[0.8660, -1]], atol=1e-4)


def test_prototypes_of_the_vectors_own_sense_are_compared() -> None:
    """Its prototype by sound is at 60 degrees, cos = 0.5; by both at 90, cos = 0."""
    one = gallery([(0, 0, 0), (0, 1, 60), (0, 2, 90)], species=1)
    found = [
        one.similarities(at(0)[None], sense).item()
        for sense in (Sense.IMAGE, Sense.AUDIO, Sense.BOTH)
    ]
    assert np.allclose(found, [1, 0.5, 0], atol=1e-6)


def test_a_species_without_that_sense_is_compared_by_the_prototypes_it_has() -> None:
    """Species 1 has only a picture, at 60 degrees: a sound at 0 has the cosine 0.5 to it."""
    mixed = gallery([(0, 0, 0), (0, 1, 90), (1, 0, 60)], species=2)
    assert np.allclose(mixed.similarities(at(0)[None], Sense.AUDIO), [[0, 0.5]], atol=1e-6)


def test_a_species_without_a_prototype_has_a_similarity_of_minus_1() -> None:
    assert gallery([(1, 0, 0)], species=3).similarities(at(0)[None], Sense.IMAGE).tolist() == [
        [-1, 1, -1]
    ]
    assert gallery([], species=2).similarities(at(0)[None], Sense.BOTH).tolist() == [[-1, -1]]
    assert factory().similarities(np.zeros((0, 128), np.float32), Sense.IMAGE).shape == (0, 3)


def test_a_gallery_is_the_same_after_dump_and_load() -> None:
    before = with_background((0, 60), (1, 180))
    owl = Species("Käuzchen", "Athene noctua", {"fr": "Chevêche"})
    named = replace(before, species=(owl, *before.species[1:]))
    after = load_gallery(named.dump(), CALIBRATION, "species.npz")
    assert after.species == named.species and after.labels[0] == "Käuzchen"
    for name in (
        "vectors",
        "owner",
        "senses",
        "thresholds",
        "background_vectors",
        "background_senses",
    ):
        assert np.array_equal(getattr(after, name), getattr(named, name))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vectors", np.zeros((9, 128), np.float32)),
        ("vectors", np.ones((9, 64), np.float32)),
        ("vectors", np.full((9, 128), np.nan, np.float32)),
        ("owner", np.full(9, 3, np.int32)),
        ("owner", np.full(9, -1, np.int32)),
        ("owner", np.zeros(8, np.int32)),
        ("senses", np.full(9, 3, np.uint8)),
        ("thresholds", np.zeros((2, 3), np.float32)),
        ("thresholds", np.full((3, 3), np.inf, np.float32)),
        ("senses", np.zeros(1, np.uint8)),
        ("background_senses", np.zeros(1, np.uint8)),
        ("background_vectors", np.zeros((2, 128), np.float32)),
        ("background_vectors", np.zeros((0, 64), np.float32)),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(name: str, value: np.ndarray) -> None:
    parts = {
        key: getattr(factory(), key)
        for key in ("species", "vectors", "owner", "senses", "thresholds")
    }
    broken = Gallery(**{**parts, name: value}, calibration=CALIBRATION)
    with pytest.raises(InputError, match="^species.npz: .* for 3 species do not fit"):
        load_gallery(broken.dump(), CALIBRATION, "species.npz")


@pytest.mark.parametrize(
    "entries",
    [
        b"",
        b"{",
        b"null",
        b"3",
        b'"text"',
        b"[null]",
        b"[3]",
        b"[{}]",
        b'[{"label": 3}]',
        b'[{"label": ""}]',
        b'[{"label": "Jay", "names": []}]',
        b'[{"label": "Jay", "names": {"de": 1}}]',
        b'[{"label": "Jay", "scientific": 7}]',
        b'[{"label": "Jay"}, {"label": "J\\u0061y"}]',
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"label": "Jay"}',
        b'[{"label": "Jay\\u0000"}]',
        b'[{"label": "Jay", "names": null}]',
        b'[{"label": ["Jay"]}]',
    ],
)
def test_a_malformed_list_of_species_is_refused(entries: bytes) -> None:
    with pytest.raises(InputError):
        parse_species(entries, "species.npz")


def test_a_calibration_is_the_same_after_json() -> None:
    calibration = Calibration((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), 0.7)
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": {"image": 0.0, "audio": 1, "both": 1}},
        {"temperature": 3},
        {"threshold": []},
        {"temperature": {"image": -1, "audio": 1, "both": 1}},
        {"threshold": {"image": 1}},
        {"late_weight": float("nan")},
        {"late_weight": None},
        {"late_weight": "much"},
        {"threshold": {"image": float("inf"), "audio": 1, "both": 1}},
    ],
)
def test_a_malformed_calibration_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Calibration.from_json({**CALIBRATION.to_json(), **change})
