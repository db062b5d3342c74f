"""Large pictures: JPEG files of hundreds of megapixels, made of strips in little memory."""

from collections.abc import Sequence

import cv2
import numpy as np

STRIP_PX = 16  # the height of a row of blocks


def tall_jpeg(strip: np.ndarray, rows: int) -> bytes:
    """Return a JPEG that repeats a strip, uint8 [16, W, 3]."""
    return stacked_jpeg([strip], [0] * rows)


def stacked_jpeg(strips: Sequence[np.ndarray], order: Sequence[int]) -> bytes:
    """Return a JPEG of strips, uint8 [16, W, 3]; a restart marker follows each row but the last.

    Args:
        strips: Different strips of one width.
        order: Their indices from top to bottom.
    """
    coded = [bytes(cv2.imencode(".jpg", strip)[1]) for strip in strips]
    data = coded[0]
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    begin = scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")
    height = (len(order) * STRIP_PX).to_bytes(2, "big")
    blocks = (int(strips[0].shape[1]) // STRIP_PX).to_bytes(2, "big")  # of a row
    head = data[: frame + 5] + height + data[frame + 7 : scan]
    rows = [coded[index][begin:-2] for index in order]
    rest = [bytes((0xFF, 0xD0 + index % 8)) + row for index, row in enumerate(rows[1:])]
    pixels = data[scan:begin] + rows[0] + b"".join(rest)
    return head + b"\xff\xdd\0\4" + blocks + pixels + b"\xff\xd9"


def visited_jpegs(width: int, rows: int) -> list[bytes]:
    """Return four JPEGs of a striped garden in which a square moves."""
    rng = np.random.default_rng(0)
    stripes = rng.integers(40, 200, (1, width // 160, 3)).astype(np.uint8)
    garden = cv2.resize(stripes, (width, STRIP_PX), interpolation=cv2.INTER_LINEAR)
    side, pictures = rows // 5, []
    for number in range(4):
        visited = garden.copy()
        left = (number + 1) * width // 6
        visited[:, left : left + side * STRIP_PX] = (30, 40 * number, 220)
        order = [0] * (rows // 3) + [1] * side
        pictures.append(stacked_jpeg([garden, visited], order + [0] * (rows - len(order))))
    return pictures
