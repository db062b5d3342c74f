"""How far birds fill the photographs that a model learnt from: a station shows it birds as wide."""

import cv2
import numpy as np
from numpy.typing import NDArray

from birdfield.signals.image import Frame

SIDE_PX = 160  # the photographs are cut at this size
PHOTOGRAPHS = 64
WIDEST = 2.0  # sides of what moved: beyond, more is hedge than bird


def foreground(picture: Frame) -> NDArray[np.uint8]:
    """Tell what a picture shows from what is behind it (GrabCut: Rother et al., SIGGRAPH 2004).

    Args:
        picture: BGR, uint8 [H, W, 3]; its outermost thirty-second is taken to be background.

    Returns:
        uint8 [H, W], 255 where something is shown.
    """
    rows, columns = picture.shape[:2]
    mask = np.zeros((rows, columns), np.uint8)
    box = (columns // 32, rows // 32, columns * 15 // 16, rows * 15 // 16)
    cv2.setRNGSeed(0)
    cv2.grabCut(picture, mask, box, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_RECT)
    return np.asarray(cv2.medianBlur((mask & 1) * 255, 5), np.uint8)


def crop_margin(photographs: NDArray[np.uint8]) -> float:
    """Measure how wide a station has to cut out a bird, so that it fills as much of the square.

    Args:
        photographs: Of a run, BGR, uint8 [N, S, S, 3], in no order; some are looked at.

    Returns:
        Sides of the square by the longer side of what moved, 1..WIDEST; 1 without photographs.
        Evidence: docs/decisions/0017-spend-nothing.md.
    """
    if len(photographs) == 0:
        return 1.0
    fills = []
    for photograph in photographs[:PHOTOGRAPHS]:
        small = cv2.resize(photograph, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        fills.append(max(cv2.boundingRect(foreground(small))[2:]) / SIDE_PX)
    return round(1 / max(float(np.median(fills)), 1 / WIDEST), 2)
