"""Frames: pictures of a garden as a camera sends them."""

import cv2
import numpy as np


def scenery(seed: int, bgr: tuple[int, int, int] = (90, 120, 140)) -> np.ndarray:
    """Return a frame [96, 128, 3] of blocks around one colour, different for each seed."""
    noise = np.random.default_rng(seed).integers(-40, 40, (12, 16, 1))
    blocks = np.clip(np.array(bgr) + noise, 0, 255).astype(np.uint8)
    return cv2.resize(blocks, (128, 96), interpolation=cv2.INTER_NEAREST)


def still_frame(number: int) -> np.ndarray:
    """Return a frame of a still garden, in which only the lowest bits change, as by noise.

    No two frames are equal: a camera that alternates between two frames would look frozen to
    whoever reads every second or every tenth frame.
    """
    picture = scenery(0)
    noise = np.random.default_rng(number).integers(0, 2, picture.shape, np.uint8)
    return np.asarray(picture ^ noise)


def visited_frame(number: int) -> np.ndarray:
    """Return a frame of a garden with a moving disc in 40 of 80 frames, each time elsewhere."""
    picture = still_frame(number)
    visit, frame = divmod(number, 80)
    if frame < 40:
        left, top = np.random.default_rng(visit).integers(20, 70, 2)
        centre = (int(left + frame % 10), int(top))
        cv2.circle(picture, centre, 14, (200, 40 + visit % 100, 30), -1)
    return picture
