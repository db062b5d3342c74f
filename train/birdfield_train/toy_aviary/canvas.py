"""Canvas: the curves, the colours and the paint with which birds are drawn."""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]

CANVAS_PX = 340  # side of the square on which a bird is drawn, facing right
UNIT_PX = 3.0  # shapes are in units; a bird is about 80 units long
ORIGIN_PX = (50.0, 30.0)  # place of the unit (0, 0), with room for the longest tail and crest
SUBPIXEL_BITS = 4
LIGHT = (-0.45, -0.75)  # direction to the light, high and behind the bird
CATMULL_ROM = (
    np.array(
        [
            (2 * t**2 - t - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
            for t in np.arange(8) / 8
        ],
        np.float32,
    )
    / 2
)
FEATHER = np.array(
    ((0, 0), (0.5, 0.9), (0.85, 1), (0.97, 0.5), (0.97, -0.5), (0.85, -1), (0.5, -0.9)), np.float32
)  # outline: along its length, and aside in half widths


class Canvas:
    """A square of premultiplied BGRA paint in the pose of one bird. Not thread-safe.

    Attributes:
        paint: float32 [CANVAS_PX, CANVAS_PX, 4], colours 0..255 and alpha 0..1.
        head_rad: How far the head is turned.
        tail_rad: How far the tail is turned.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        """Start transparent, in a random pose."""
        self.paint = np.zeros((CANVAS_PX, CANVAS_PX, 4), np.float32)
        self.head_rad, self.tail_rad = np.radians(rng.uniform((-14, -16), (16, 14)))

    def bend(self, points: ArrayLike) -> Floats:
        """Turn the points of the head and of the tail, [N, 2] in units; return float32 [N, 2]."""
        bent = np.array(points, np.float32)
        for (left, top), angle, weight in (
            ((60, 36), self.head_rad, (46 - bent[:, 1]) / 16),
            ((30, 62), self.tail_rad, (36 - bent[:, 0]) / 12),
        ):
            angles = angle * np.clip(weight, 0, 1)
            x, y, cos, sin = bent[:, 0] - left, bent[:, 1] - top, np.cos(angles), np.sin(angles)
            bent = np.stack([left + x * cos - y * sin, top + x * sin + y * cos], axis=1)
        return bent

    def mask(self, *shapes: ArrayLike, soft_px: float = 0.0) -> Floats:
        """Fill smooth closed curves through points in units.

        Args:
            shapes: Points [N, 2] of each curve.
            soft_px: Standard deviation of the blur of their edges.

        Returns:
            float32 [CANVAS_PX, CANVAS_PX], 0..1.
        """
        plane = np.zeros((CANVAS_PX, CANVAS_PX), np.uint8)
        curves = [to_subpixels(smooth(self.bend(shape)) * UNIT_PX + ORIGIN_PX) for shape in shapes]
        cv2.fillPoly(plane, curves, 255, cv2.LINE_AA, SUBPIXEL_BITS)
        mask = plane.astype(np.float32) / 255
        return np.asarray(cv2.GaussianBlur(mask, (0, 0), soft_px) if soft_px else mask, np.float32)

    def fill(self, mask: Floats, colour: Floats) -> None:
        """Paint a BGR colour, 0..255, through a mask."""
        left, top, width, height = cv2.boundingRect((mask > 0).view(np.uint8))
        place = np.s_[top : top + height, left : left + width]
        cover = mask[place][..., None]
        self.paint[place] += cover * (np.append(colour, np.float32(1)) - self.paint[place])

    def shade(self, mask: Floats, depth: float, texture: Floats) -> None:
        """Shade a flat shape as a round one.

        Args:
            mask: The shape.
            depth: Strength of the shading.
            texture: Added to the light, [CANVAS_PX, CANVAS_PX].
        """
        height = cv2.blur(cv2.blur(mask, (33, 33)), (33, 33)) + cv2.blur(mask, (15, 15)) / 3
        slope = -sum(
            toward * cv2.Sobel(height, cv2.CV_32F, *axis)
            for toward, axis in zip(LIGHT, ((1, 0), (0, 1)), strict=True)
        )
        light = np.clip(depth * slope + texture, -0.65, 0.6)
        self.paint[..., :3] *= (1 + mask * light)[..., None]


def to_subpixels(points: Floats) -> NDArray[np.int32]:
    """Convert points [N, 2] in pixels to the integers that cv2 draws with SUBPIXEL_BITS."""
    return np.asarray(np.rint(points * 2**SUBPIXEL_BITS), np.int32)


def smooth(points: Floats) -> Floats:
    """Return points [8 N, 2] on a closed Catmull-Rom curve through points [N, 2]."""
    around = points[(np.arange(len(points))[:, None] + np.arange(-1, 3)) % len(points)]
    return np.asarray((CATMULL_ROM @ around).reshape(-1, 2), np.float32)


def bgr(colour: str) -> Floats:
    """Return the colour #RRGGBB as BGR, float32 [3], 0..255."""
    return np.array([int(colour[place : place + 2], 16) for place in (5, 3, 1)], np.float32)


def feather(root: ArrayLike, tip: ArrayLike, width: float) -> Floats:
    """Return the outline of a feather, broadest near its round tip, float32 [7, 2]."""
    start, along = np.asarray(root, np.float32), np.subtract(tip, root)
    aside = np.array((-along[1], along[0])) / np.hypot(*along) * width / 2
    return np.asarray(start + along * FEATHER[:, :1] + aside * FEATHER[:, 1:], np.float32)
