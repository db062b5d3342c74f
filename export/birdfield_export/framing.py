"""Framing: how much of a training photograph a bird fills, so that a station crops birds alike."""

import cv2
import numpy as np
from numpy.typing import NDArray

from birdfield.signals.image import Frame

SIDE_PX = 160  # of the photographs while they are measured
MAX_PHOTOGRAPHS = 64
MAX_MARGIN = 2.0  # beyond, a crop shows more background than bird
GRABCUT_ROUNDS = 3


def foreground(picture: Frame) -> NDArray[np.uint8]:
    """Separate a bird from its background (GrabCut: Rother et al., SIGGRAPH 2004).

    Args:
        picture: BGR, uint8 [H, W, 3]; the outermost 1/32 of each side counts as background.

    Returns:
        uint8 [H, W], 255 in the foreground and 0 elsewhere.
    """
    rows, columns = picture.shape[:2]
    mask = np.zeros((rows, columns), np.uint8)
    box = (columns // 32, rows // 32, columns * 15 // 16, rows * 15 // 16)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(picture, mask, box, *models, GRABCUT_ROUNDS, cv2.GC_INIT_WITH_RECT)
    return np.asarray(cv2.medianBlur((mask & 1) * 255, 5), np.uint8)


def crop_margin(photographs: NDArray[np.uint8]) -> float:
    """Compute the crop around a moving bird that it fills as much as training photographs.

    Args:
        photographs: BGR, uint8 [N, S, S, 3], in random order; the first MAX_PHOTOGRAPHS are
            measured.

    Returns:
        Side of the crop by the longer side of the motion, 1..MAX_MARGIN; 1 without photographs.
        Measured in docs/decisions/0017-spend-nothing.md.
    """
    if len(photographs) == 0:
        return 1.0
    fills = []
    for photograph in photographs[:MAX_PHOTOGRAPHS]:
        small = cv2.resize(photograph, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        fills.append(max(cv2.boundingRect(foreground(small))[2:]) / SIDE_PX)
    return round(1 / max(float(np.median(fills)), 1 / MAX_MARGIN), 2)
