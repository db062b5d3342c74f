"""Scenery: backdrops and perches, and the placing of a bird in a picture."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from birdfield_train.toy_aviary.canvas import (
    SUBPIXEL_BITS,
    Floats,
    bgr,
    feather,
    smooth,
    to_subpixels,
)
from birdfield_train.toy_aviary.sprite import FOOT_PX

Frame = NDArray[np.uint8]

# Kinds of backdrop: colours in the shade and in the light, length of vertical streaks, and numbers
# of blurred discs of leaves and of blades of grass.
SCENERY = (
    ("#8fb4d6", "#dbe9f2", 1, 0, 0),
    ("#2f5230", "#a9c46c", 1, 60, 0),
    ("#3f3128", "#a08a70", 4, 5, 0),
    ("#4b6a2c", "#c3cb7e", 1, 12, 90),
    ("#6d7f92", "#e8dccb", 1, 25, 0),
)


LEAVES = ("#5d8a35", "#7da044", "#49733a", "#a8913c")


def backdrop(rng: np.random.Generator, size_px: tuple[int, int]) -> Frame:
    """Draw the blurred background of a bird: sky, leaves, bark or grass.

    Args:
        rng: Decides the kind and the look.
        size_px: Width and height.

    Returns:
        BGR, uint8 [height, width, 3].
    """
    dark, light, streak, discs, blades = SCENERY[rng.integers(len(SCENERY))]
    width, height = size_px
    field = sum(
        _noise(rng, size_px, cells, streak) / 2**place for place, cells in enumerate((3, 7, 17))
    )
    mix = np.clip(np.linspace(0.85, 0.35, height)[:, None] + 0.4 * np.asarray(field), 0, 1)
    picture = (bgr(dark) + (bgr(light) - bgr(dark)) * mix[..., None]).astype(np.uint8)
    for _ in range(discs):  # out of focus, leaves and the gaps between them are discs
        veil, centre = picture.copy(), (int(rng.integers(width)), int(rng.integers(height)))
        cv2.circle(
            veil,
            centre,
            int(width * rng.uniform(0.02, 0.1)),
            _between(dark, light, rng.uniform(-0.1, 1.25)),
            -1,
            cv2.LINE_AA,
        )
        picture = np.asarray(cv2.addWeighted(veil, 0.4, picture, 0.6, 0), np.uint8)
    for _ in range(blades):
        foot, lean, top = rng.integers(width), rng.normal(0, width * 0.1), rng.uniform(0, 0.7)
        green, thick = _between(dark, light, rng.uniform(-0.1, 1.15)), int(rng.integers(1, 4))
        cv2.line(picture, (int(foot), height), (int(foot + lean), int(height * top)), green, thick)
    blurred = cv2.GaussianBlur(picture, (0, 0), width * rng.uniform(0.006, 0.016))
    return np.asarray(blurred, np.uint8)


def _between(dark: str, light: str, share: float) -> list[float]:
    """Return a BGR colour between two others; share may exceed 0..1."""
    colour = bgr(dark) + (bgr(light) - bgr(dark)) * share
    return [float(channel) for channel in colour.clip(0, 255)]


def _noise(rng: np.random.Generator, size_px: tuple[int, int], cells: int, streak: int) -> Floats:
    """Draw smooth noise of so many cells, with vertical streaks."""
    grid = rng.normal(0, 0.5, (max(2, cells // streak), cells * streak)).astype(np.float32)
    return np.asarray(cv2.resize(grid, size_px, interpolation=cv2.INTER_CUBIC))


def perch(picture: Frame, foot: tuple[float, float], rng: np.random.Generator) -> None:
    """Draw a twig with leaves on a picture.

    Args:
        picture: BGR, uint8 [H, W, 3]; it is changed.
        foot: A point of the twig, x and y in pixels.
        rng: Decides the look.
    """
    width = picture.shape[1]
    lean, bow = rng.uniform(-0.16, 0.16), rng.uniform(-0.1, 0.1)
    x = np.linspace(-0.1, 1.1, 12) * width
    run = (x - foot[0]) / width
    y = foot[1] + width * (lean * run + bow * run**2)
    thick = width * rng.uniform(0.022, 0.05)
    bark = np.array((58, 74, 96)) * rng.uniform(0.6, 1.3)
    for layer in np.linspace(0, 1, 6):  # from the dark lower side to the light upper side
        line = to_subpixels(np.stack([x, y + thick * (0.55 - 0.35 * layer)], axis=1))
        cv2.polylines(
            picture,
            [line],
            False,
            (bark * (0.45 + 0.75 * layer)).tolist(),
            max(1, round(thick * (1 - 0.85 * layer))),
            cv2.LINE_AA,
            SUBPIXEL_BITS,
        )
    green = bgr(str(rng.choice(LEAVES)))
    for _ in range(rng.integers(0, 6)):
        along = rng.uniform(-0.5, 0.5)
        stem = (foot[0] + width * along, foot[1] + width * (lean * along + bow * along**2))
        turn, reach = rng.uniform(0, 2 * np.pi), width * rng.uniform(0.05, 0.11)
        tip = (stem[0] + reach * np.cos(turn), stem[1] + reach * np.sin(turn))
        leaf = to_subpixels(smooth(feather(stem, tip, reach * 0.45)))
        cv2.fillPoly(
            picture, [leaf], (green * rng.uniform(0.7, 1.15)).tolist(), cv2.LINE_AA, SUBPIXEL_BITS
        )


@dataclass(frozen=True)
class Pose:
    """How a sprite is placed in a picture.

    Attributes:
        foot: Place of its feet, x and y in pixels.
        scale: Pixels of the picture per pixel of the sprite.
        turn_deg: How far it leans.
        faces_left: Whether it faces left.
    """

    foot: tuple[float, float]
    scale: float
    turn_deg: float = 0.0
    faces_left: bool = False


def place(picture: Frame, bird: Floats, pose: Pose) -> Floats:
    """Place a sprite in a picture.

    Args:
        picture: BGR, uint8 [H, W, 3]; it is not changed.
        bird: From `sprite`.
        pose: Place, size and direction of the bird.

    Returns:
        BGR, float32 [H, W, 3].
    """
    matrix = np.array(cv2.getRotationMatrix2D(FOOT_PX, pose.turn_deg, pose.scale), np.float64)
    matrix[:, 2] -= FOOT_PX
    matrix[0] *= -1 if pose.faces_left else 1
    matrix[:, 2] += pose.foot
    # Blurred first, because shrinking skips pixels of the sprite.
    soft = cv2.GaussianBlur(bird, (0, 0), max(0.01, 0.45 / pose.scale))
    layer = cv2.warpAffine(soft, matrix, (picture.shape[1], picture.shape[0]))
    return np.asarray(picture * (1 - layer[..., 3:]) + layer[..., :3], np.float32)
