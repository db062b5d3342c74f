"""Background pictures: generated scenes without a bird, such as grass, sky and feeders."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE_PX = 256
SIDE = (SIDE_PX, SIDE_PX)

Picture = NDArray[np.float64]  # [SIDE_PX, SIDE_PX, 3], BGR, about 0..255


def _colour(rng: np.random.Generator, near: tuple[int, int, int]) -> NDArray[np.float64]:
    """Draw a colour near another one, BGR, float64 [3]."""
    return np.asarray(np.array(near) + rng.normal(0, 30, 3))


def _clouds(rng: np.random.Generator, cells: int) -> NDArray[np.float64]:
    """Draw smooth noise, about -1..1, float64 [SIDE_PX, SIDE_PX]."""
    coarse = rng.uniform(-1, 1, (cells, cells))
    return np.asarray(cv2.resize(coarse, SIDE, interpolation=cv2.INTER_CUBIC), np.float64)


def _gradient(rng: np.random.Generator) -> Picture:
    """Draw a plain surface in uneven light."""
    angle = rng.uniform(0, 2 * np.pi)
    down, right = np.mgrid[-1 : 1 : SIDE_PX * 1j, -1 : 1 : SIDE_PX * 1j]
    ramp = (np.cos(angle) * right + np.sin(angle) * down)[..., None]
    grain = rng.normal(0, 4, (*SIDE, 3))
    return np.asarray(rng.uniform(70, 185, 3) + 60 * ramp * rng.uniform(0.5, 1, 3) + grain)


def _grass(rng: np.random.Generator) -> Picture:
    """Draw blades of grass; short and wide ones look like leaves."""
    picture = np.full((*SIDE, 3), _colour(rng, (40, 80, 60)))
    length, width = rng.uniform(10, 90), int(rng.integers(1, 9))
    for _ in range(900):
        start = rng.uniform(0, SIDE_PX, 2)
        lean = rng.normal(0, 0.6) + np.pi / 2
        end = start - length * np.array([np.cos(lean), np.sin(lean)])
        blade = _colour(rng, (50, 130, 90))
        cv2.line(picture, tuple(map(int, start)), tuple(map(int, end)), blade.tolist(), width)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 3)))


def _sky(rng: np.random.Generator) -> Picture:
    """Draw a sky with clouds."""
    down = np.linspace(0, 1, SIDE_PX)[:, None, None]
    sky = _colour(rng, (220, 160, 100)) * (1 - down) + _colour(rng, (235, 215, 195)) * down
    clouds = np.clip(_clouds(rng, 4) + 0.5 * _clouds(rng, 9), 0, 1)[..., None]
    return np.asarray(sky + clouds * rng.uniform(0, 90) + rng.normal(0, 2, (*SIDE, 3)))


def _blur(rng: np.random.Generator) -> Picture:
    """Draw a scene out of focus."""
    cells = int(rng.integers(4, 40))
    layers = [_clouds(rng, cells) for _ in range(3)]
    return np.asarray(rng.uniform(60, 200, 3) + 60 * np.stack(layers, axis=2))


def _stripes(rng: np.random.Generator) -> Picture:
    """Draw boards or a fence."""
    across = np.arange(SIDE_PX) % int(rng.integers(12, 60)) < int(rng.integers(2, 12))
    board, gap = rng.uniform(60, 220, 3), rng.uniform(10, 120, 3)
    picture = np.where(np.broadcast_to(across[None, :, None], (*SIDE, 3)), gap, board)
    picture = picture + 12 * _clouds(rng, 30)[..., None] + rng.normal(0, 5, (*SIDE, 3))
    return np.asarray(picture if rng.random() < 0.5 else picture.transpose(1, 0, 2))


def _feeder(rng: np.random.Generator) -> Picture:
    """Draw a feeder with a tube, a roof and a perch in front of blurred leaves."""
    picture = cv2.GaussianBlur(_grass(rng), (0, 0), 5)
    left, top = (int(value) for value in rng.integers(60, 110, 2))
    width, height = (int(value) for value in rng.integers((30, 70), (90, 130)))
    tube, roof = (rng.uniform(20, 210, 3).tolist() for _ in range(2))
    cv2.rectangle(picture, (left, top), (left + width, top + height), tube, -1)
    corners = [(left - 20, top), (left + width + 20, top), (left + width // 2, top - 40)]
    cv2.fillPoly(picture, [np.array(corners, np.int32)], roof)
    cv2.line(
        picture, (left - 30, top + height - 15), (left + width + 30, top + height - 15), roof, 4
    )
    return np.asarray(picture + rng.normal(0, 5, (*SIDE, 3)))


PICTURES: Mapping[str, Callable[[np.random.Generator], Picture]] = {
    "gradient": _gradient,
    "grass": _grass,
    "sky": _sky,
    "blur": _blur,
    "stripes": _stripes,
    "feeder": _feeder,
}
