from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from fakes import BluePitch, at, factory

from birdfield.model.encoder import Vector
from birdfield.recognise.close_look import CloseLookEncoder, crops_of
from birdfield.recognise.decide import decide
from birdfield.signals.image import Frame

FAR = 250  # degrees: 130 from the nearest species, the Wren


def scene(degrees: int, top: int, left: int, side: int = 40, around: int = FAR) -> Frame:
    """Return 100 x 100 pixels with a square in them; their blue is an angle for `BluePitch`."""
    image = np.full((100, 100, 3), around, np.uint8)
    image[top : top + side, left : left + side] = degrees
    return image


class Counting(BluePitch):
    def __init__(self) -> None:
        self.pictures = 0

    def image_vector(self, image: Frame) -> Vector:
        self.pictures += 1
        return super().image_vector(image)


@pytest.mark.parametrize(("top", "left"), [*product((0, 30, 60), repeat=2)])
def test_a_small_bird_is_found_at_any_place(top: int, left: int) -> None:
    image, gallery = scene(60, top, left), factory()
    assert decide(BluePitch(), gallery, BluePitch().image_vector(image), None).unknown
    seen = CloseLookEncoder(BluePitch(), gallery).image_vector(image)
    assert decide(BluePitch(), gallery, seen, None).species == "Robin"


def test_a_picture_that_is_known_is_not_cut_into_crops() -> None:
    """Its mean is 69 degrees, near the Robin; one corner is exactly a Jay."""
    encoder, image = Counting(), scene(0, 0, 0, around=82)
    vector = CloseLookEncoder(encoder, factory()).image_vector(image)
    assert encoder.pictures == 1 and np.array_equal(vector, BluePitch().image_vector(image))


@pytest.mark.parametrize(("degrees", "used"), [(168, True), (172, False)])
def test_a_crop_needs_a_greater_margin_than_a_whole_picture(degrees: int, used: bool) -> None:
    """The Wren is at 120 degrees, threshold 0.5: cos 48 = 0.669 is 0.169 above, cos 52 0.116."""
    image = scene(degrees, 60, 60)
    seen = CloseLookEncoder(BluePitch(), factory()).image_vector(image)
    assert np.allclose(seen, at(degrees) if used else BluePitch().image_vector(image), atol=1e-3)


def test_without_species_a_picture_is_not_cut_into_crops() -> None:
    known = factory()
    empty = replace(
        known,
        species=(),
        vectors=known.vectors[:0],
        owner=known.owner[:0],
        senses=known.senses[:0],
        thresholds=known.thresholds[:0],
    )
    encoder = Counting()
    CloseLookEncoder(encoder, empty).image_vector(scene(60, 0, 0))
    assert encoder.pictures == 1


@pytest.mark.parametrize("shape", [(480, 640), (37, 200), (1, 1)])
def test_the_crops_are_the_whole_picture_and_two_covers_of_it(shape: tuple[int, int]) -> None:
    number = np.arange(shape[0] * shape[1], dtype="<u4").reshape(shape)
    image = number.view(np.uint8).reshape(*shape, 4)[..., :3]  # each pixel its own colour
    whole, *crops = crops_of(image)
    assert np.array_equal(whole, image) and len(crops) == 14
    assert {crop.shape[:2] for crop in crops} == {
        tuple(max(int(share * side), 1) for side in shape) for share in (0.62, 0.4)
    }
    for cover in (crops[:5], crops[5:]):
        seen = np.unique(np.concatenate([crop.reshape(-1, 3) for crop in cover]), axis=0)
        assert len(seen) == number.size
