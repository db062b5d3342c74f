"""How far birds fill photographs, measured of birds whose size is known."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from birdfield_export.framing import WIDEST, crop_margin

SIZE_PX = 224


def photographs(fill: float, count: int = 12) -> NDArray[np.uint8]:
    """Draw as many brown birds, so long of the picture's side, before leaves."""
    rng = np.random.default_rng(round(100 * fill))
    pictures = np.zeros((count, SIZE_PX, SIZE_PX, 3), np.uint8)
    for picture in pictures:
        leaves = rng.uniform(0, 60, (14, 14, 1)) + (40, 120, 60)
        picture[:] = cv2.resize(leaves, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_CUBIC)
        centre = rng.normal(SIZE_PX / 2, 4, 2).astype(int).tolist()
        length = fill * SIZE_PX
        cv2.ellipse(
            picture,
            centre,
            (round(length / 2), round(length / 4)),
            rng.uniform(-5, 5),
            0,
            360,
            (40, 60, 150),
            cv2.FILLED,
        )
    return pictures


@pytest.mark.parametrize("fill", [0.55, 0.7, 0.9])
def test_a_bird_is_cut_out_as_wide_as_photographs_show_birds(fill: float) -> None:
    assert crop_margin(photographs(fill)) == pytest.approx(1 / fill, rel=0.08)


def test_half_of_the_photographs_may_be_framed_otherwise() -> None:
    mixed = np.concatenate([photographs(0.55, 5), photographs(0.8, 7)])
    assert crop_margin(mixed) == pytest.approx(1 / 0.8, rel=0.08)


def test_a_speck_is_not_followed_into_the_hedge() -> None:
    assert crop_margin(photographs(0.2)) == WIDEST


def test_without_photographs_what_moves_is_cut_out_as_it_is() -> None:
    assert crop_margin(photographs(0.5, 0)) == 1


def test_photographs_that_show_nothing_are_no_error() -> None:
    assert 1 <= crop_margin(np.full((3, SIZE_PX, SIZE_PX, 3), 127, np.uint8)) <= WIDEST
