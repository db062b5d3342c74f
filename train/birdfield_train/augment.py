"""Image augmentation: other views of a photograph, as a garden, its light and weather show it."""

import cv2
import numpy as np

from birdfield.signals.damage import DAMAGES, damage_image
from birdfield.signals.image import Frame

MIN_CROP_AREA = 0.45  # of the photograph
MAX_STRETCH = 0.22  # change of a crop's shape, natural logarithm
LIGHT_RANGE = 0.25  # change of brightness, contrast and colour, as a share
DAMAGED_SHARE = 0.3  # of the views are damaged by one of DAMAGES
SMALL_SHARE = 0.2  # of the views show the bird small in the frame
SMALL_SCALE = (0.35, 0.8)  # side of the photograph in such a view, of the frame's side


def augment(image: Frame, rng: np.random.Generator) -> Frame:
    """Draw a view: cropped, mirrored or not, in other light, small in the frame or damaged.

    Args:
        image: uint8 [H, W, 3], BGR.
        rng: Decides the view.

    Returns:
        uint8 [h, w, 3], BGR.
    """
    view = _crop(image, rng)
    if rng.random() < 0.5:
        view = view[:, ::-1]
    view = _light(view, rng)
    if rng.random() < SMALL_SHARE:
        view = _shrink(view, rng)
    if rng.random() < DAMAGED_SHARE:
        view = damage_image(view, DAMAGES[int(rng.integers(1, len(DAMAGES)))], rng)
    return np.ascontiguousarray(view)


def _crop(image: Frame, rng: np.random.Generator) -> Frame:
    height, width = image.shape[:2]
    side = np.sqrt(rng.uniform(MIN_CROP_AREA, 1.0))
    shape = np.exp(rng.uniform(-MAX_STRETCH, MAX_STRETCH))
    rows = max(1, min(height, round(height * side * shape)))
    columns = max(1, min(width, round(width * side / shape)))
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    return image[top : top + rows, left : left + columns]


def _light(image: Frame, rng: np.random.Generator) -> Frame:
    """Change brightness, contrast and colour."""
    brightness, contrast, colour = rng.uniform(1 - LIGHT_RANGE, 1 + LIGHT_RANGE, 3)
    pixels = image.astype(np.float32) * brightness
    grey = pixels.mean(axis=2, keepdims=True)
    pixels = grey + colour * (pixels - grey)
    middle = pixels.mean()
    return np.asarray(np.clip(middle + contrast * (pixels - middle), 0, 255), np.uint8)


def _shrink(image: Frame, rng: np.random.Generator) -> Frame:
    """Place a small copy of a picture in a blurred copy of it."""
    height, width = image.shape[:2]
    scale = rng.uniform(*SMALL_SCALE)
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
