"""Other views of a photograph: what a garden, its light and its weather make of the same bird."""

import cv2
import numpy as np

from birdfield.signals.damage import DAMAGES, damage_image
from birdfield.signals.image import Frame

LEAST_AREA = 0.45  # of the photograph that a crop keeps
STRETCH = 0.22  # natural logarithm of the most that a crop's shape changes
LIGHT = 0.25  # most that brightness, contrast and colour change, as a share
DAMAGED = 0.3  # of the views, by one of DAMAGES
SMALL = 0.2  # of the views show the bird small in the frame
LEAST_SIDE = 0.35  # of the frame's side that such a bird's photograph has


def augment(image: Frame, rng: np.random.Generator) -> Frame:
    """Draw one view: a crop, mirrored or not, in other light, small in the frame or damaged.

    Args:
        image: uint8 [H, W, 3], BGR.
        rng: Draws everything.

    Returns:
        uint8 [h, w, 3].
    """
    view = _crop(image, rng)
    if rng.random() < 0.5:
        view = view[:, ::-1]
    view = _light(view, rng)
    if rng.random() < SMALL:
        view = _shrink(view, rng)
    if rng.random() < DAMAGED:
        view = damage_image(view, DAMAGES[int(rng.integers(1, len(DAMAGES)))], rng)
    return np.ascontiguousarray(view)


def _crop(image: Frame, rng: np.random.Generator) -> Frame:
    height, width = image.shape[:2]
    side, shape = np.sqrt(rng.uniform(LEAST_AREA, 1.0)), np.exp(rng.uniform(-STRETCH, STRETCH))
    rows = max(1, min(height, round(height * side * shape)))
    columns = max(1, min(width, round(width * side / shape)))
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    return image[top : top + rows, left : left + columns]


def _light(image: Frame, rng: np.random.Generator) -> Frame:
    brightness, contrast, colour = rng.uniform(1 - LIGHT, 1 + LIGHT, 3)
    pixels = image.astype(np.float32) * brightness
    grey = pixels.mean(axis=2, keepdims=True)
    pixels = grey + colour * (pixels - grey)
    middle = pixels.mean()
    return np.asarray(np.clip(middle + contrast * (pixels - middle), 0, 255), np.uint8)


def _shrink(image: Frame, rng: np.random.Generator) -> Frame:
    """Set the picture small into a blurred, larger copy of itself."""
    height, width = image.shape[:2]
    scale = rng.uniform(LEAST_SIDE, 0.8)
    small = cv2.resize(
        image,
        (max(1, round(width * scale)), max(1, round(height * scale))),
        interpolation=cv2.INTER_AREA,
    )
    frame = cv2.GaussianBlur(image[::-1], (0, 0), max(1.0, 0.1 * max(height, width)))
    top = int(rng.integers(height - small.shape[0] + 1))
    left = int(rng.integers(width - small.shape[1] + 1))
    frame[top : top + small.shape[0], left : left + small.shape[1]] = small
    return np.asarray(frame, np.uint8)
