import re

import numpy as np
import pytest

from birdfield.errors import UsageError
from birdfield.signals.boxes import black_out, crop, parse_box, square_around


@pytest.mark.parametrize(
    ("box", "black"),
    [
        (None, np.s_[4:10, 3:8]),
        ((2, 1, 30, 20), np.s_[3:9, 1:6]),
        ((5, 6, 30, 20), np.s_[0:4, 0:3]),
    ],
)
def test_a_zone_is_black_wherever_the_crop_begins(
    box: tuple[int, int, int, int] | None, black: tuple[slice, slice]
) -> None:
    """The zone is 5 wide and 6 high at (3, 4): rows 4 to 10 and columns 3 to 8 of the camera."""
    frame = np.full((40, 60, 3), 255, np.uint8)
    expected = crop(frame.copy(), box)
    expected[black] = 0
    np.testing.assert_array_equal(crop(black_out(frame, [(3, 4, 5, 6)]), box), expected)
    assert frame.min() == 255, "the source's frame is unchanged"


@pytest.mark.parametrize("text", ["", "1,2,3", "a,b,c,d", "-1,0,5,5", "1,2,3,4,5", "1.5,0,5,5"])
def test_a_malformed_crop_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"crop is {text!r}; expected X,Y,W,H in pix")):
        parse_box(text)


def test_an_empty_crop_is_refused() -> None:
    with pytest.raises(UsageError, match="crop '5,5,0,9' is empty"):
        parse_box("5,5,0,9")


def test_a_square_contains_the_box_and_lies_within_the_picture() -> None:
    """The side of a box of 60 px is 60, or 1.3 x 60 = 78; at least 48, at most the height."""
    assert square_around((100, 90, 60, 20), (200, 300)) == (100, 70, 60, 60)
    assert square_around((100, 90, 60, 20), (200, 300), 1.3) == (91, 61, 78, 78)
    assert square_around((0, 190, 60, 10), (200, 300)) == (0, 140, 60, 60)
    assert square_around((100, 90, 4, 4), (200, 300)) == (78, 68, 48, 48)
    assert square_around((60, 90, 200, 20), (200, 300, 3)) == (60, 0, 200, 200)
    assert square_around((60, 90, 201, 20), (200, 300, 3)) is None
    frame = np.arange(200 * 300 * 3, dtype=np.uint8).reshape(200, 300, 3)
    assert np.array_equal(crop(frame, (80, 60, 80, 70)), frame[60:130, 80:160])
    assert crop(frame, None) is frame
