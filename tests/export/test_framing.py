import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from birdfield_export.framing import MAX_MARGIN, crop_margin

SIZE_PX = 224


def photographs(fill: float, count: int = 12) -> NDArray[np.uint8]:
    """Draw brown birds in front of leaves.

    Args:
        fill: Length of a bird, as a share of the side.
        count: Number of photographs.
    """
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
def test_a_bird_fills_the_crop_as_it_fills_the_photographs(fill: float) -> None:
    assert crop_margin(photographs(fill)) == pytest.approx(1 / fill, rel=0.08)


def test_the_margin_is_that_of_most_photographs() -> None:
    mixed = np.concatenate([photographs(0.55, 5), photographs(0.8, 7)])
    assert crop_margin(mixed) == pytest.approx(1 / 0.8, rel=0.08)


def test_the_margin_has_a_maximum() -> None:
    assert crop_margin(photographs(0.2)) == MAX_MARGIN


def test_without_photographs_there_is_no_margin() -> None:
    assert crop_margin(photographs(0.5, 0)) == 1


def test_empty_photographs_are_not_an_error() -> None:
    assert 1 <= crop_margin(np.full((3, SIZE_PX, SIZE_PX, 3), 127, np.uint8)) <= MAX_MARGIN
