"""Invented birds, drawn by code: six plumages, and individuals that wear them."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]

CANVAS_PX = 340  # a bird is drawn once, facing right, on this square
UNIT_PX = 3.0  # the shapes below are in units; a bird is about 80 of them long
ORIGIN_PX = (50.0, 30.0)  # where the unit (0, 0) is: room for the longest tail and crest
FOOT = (50.0, 86.0)  # where it stands, in units
FOOT_PX = (FOOT[0] * UNIT_PX + ORIGIN_PX[0], FOOT[1] * UNIT_PX + ORIGIN_PX[1])
SUBPIXEL_BITS = 4
LIGHT = (-0.45, -0.75)  # towards the light: high, and from behind the bird
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

OUTLINE = (
    (76, 30),
    (71, 21),
    (63, 18),
    (55, 22),
    (47, 32),
    (36, 46),
    (26, 59),
    (22, 66),
    (31, 71),
    (45, 76),
    (60, 72),
    (70, 61),
    (74, 48),
    (75, 38),
)
BELLY = ((74, 42), (66, 44), (60, 54), (48, 62), (34, 66), (24, 70), (40, 82), (66, 80), (82, 60))
FEATHER = np.array(
    ((0, 0), (0.5, 0.9), (0.85, 1), (0.97, 0.5), (0.97, -0.5), (0.85, -1), (0.5, -0.9)), np.float32
)  # along and aside, of its length and half width
CIRCLE = np.array([(np.cos(turn), np.sin(turn)) for turn in np.arange(8) * np.pi / 4])
EYE = (
    ((68.5, 28.3), 3.3, "#b2aa96"),
    ((68.5, 28.3), 2.8, "#1c1616"),
    ((67.7, 27.2), 0.9, "#ffffff"),
)
CAP = ((80, 29), (74, 28), (62, 27), (52, 30), (49, 22), (62, 10), (78, 16))
BIB = ((80, 33), (72, 34), (67, 39), (68, 49), (73, 52), (82, 44))
MASK = ((78, 28), (71, 25), (62, 27), (54, 30), (53, 33), (62, 33), (71, 32), (78, 31))
FLANK = ((66, 58), (54, 60), (40, 67), (36, 73), (50, 75), (64, 70))
WING = ((60, 41), (52, 37), (42, 44), (30, 57), (17, 75), (28, 71), (42, 68), (54, 63), (61, 53))
# Flight feathers, and two rows of coverts: count, width, and first and last root and tip.
WING_ROWS = (
    (7, 4.6, ((38, 52), (50, 58)), ((14, 78), (36, 69.5))),
    (6, 6.0, ((44, 44), (56, 52)), ((27, 62), (50, 65))),
    (5, 6.0, ((49, 39), (58, 45)), ((37, 52), (57, 57))),
)


@dataclass(frozen=True)
class Plumage:
    """What a species looks like; colours are #RRGGBB, and an empty one is not there.

    Attributes:
        name: The species' label.
        back: Upper side; the wing and tail are darker shades of it.
        belly: Under side.
        cap: Crown.
        bib: Throat.
        mask: Stripe through the eye.
        flank: Side of the breast.
        crest: Feathers that stand up from the crown.
        tail_tip: End of the tail.
        wing_bars: Pale bands across the wing.
        spotted: Whether dark drops cover its breast.
        tail: Length, in units.
        fork: How far the outer tail feathers stand apart, in degrees.
        bill: Length and depth, in units.
        plump: Height of the body, 1 is slender.
    """

    name: str
    back: str
    belly: str
    cap: str = ""
    bib: str = ""
    mask: str = ""
    flank: str = ""
    crest: str = ""
    tail_tip: str = ""
    wing_bars: int = 0
    spotted: bool = False
    tail: float = 24.0
    fork: float = 5.0
    bill: tuple[float, float] = (9.0, 4.6)
    plump: float = 1.0


# Two pairs share their colours and differ in pattern, so that a mean colour names no species.
PLUMAGES = (
    Plumage(
        "Copper Wagtip",
        "#b5652f",
        "#f3e2c3",
        mask="#2b1d18",
        tail=34,
        tail_tip="#fbf6ea",
        fork=4,
        bill=(12, 3.4),
        plump=0.92,
    ),
    Plumage("Bramble Speckle", "#ad6535", "#f2e3c8", spotted=True, tail=19, plump=1.12),
    Plumage("Slate Barwing", "#66788c", "#e6e7e4", cap="#1d222b", wing_bars=2, plump=1.02),
    Plumage("Ashen Tufter", "#6a7a8b", "#e8e6e0", crest="#56677a", flank="#d98745", plump=1.08),
    Plumage(
        "Willow Trillet",
        "#7f8a3b",
        "#f1d84f",
        mask="#55602a",
        wing_bars=1,
        tail=21,
        fork=7,
        bill=(8, 2.8),
        plump=0.96,
    ),
    Plumage(
        "Lagoon Gleamer",
        "#1f86a0",
        "#ee9145",
        cap="#2356a3",
        bib="#20232c",
        tail=27,
        fork=16,
        bill=(10, 7.5),
        plump=1.05,
    ),
)


class Canvas:
    """A square of premultiplied BGRA paint that shapes are laid on; not thread-safe."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Start transparent, in a pose that rng decides."""
        self.paint = np.zeros((CANVAS_PX, CANVAS_PX, 4), np.float32)
        self.head_rad, self.tail_rad = np.radians(rng.uniform((-14, -16), (16, 14)))

    def bend(self, points: ArrayLike) -> Floats:
        """Turn what belongs to the head and to the tail, float32 [N, 2], in units."""
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
        """Rasterise smooth closed curves through points, [CANVAS_PX, CANVAS_PX], 0..1."""
        plane = np.zeros((CANVAS_PX, CANVAS_PX), np.uint8)
        curves = [to_subpixels(smooth(self.bend(shape)) * UNIT_PX + ORIGIN_PX) for shape in shapes]
        cv2.fillPoly(plane, curves, 255, cv2.LINE_AA, SUBPIXEL_BITS)
        mask = plane.astype(np.float32) / 255
        return np.asarray(cv2.GaussianBlur(mask, (0, 0), soft_px) if soft_px else mask, np.float32)

    def fill(self, mask: Floats, colour: Floats) -> None:
        """Lay a BGR colour, 0..255, where mask is."""
        left, top, width, height = cv2.boundingRect((mask > 0).view(np.uint8))
        place = np.s_[top : top + height, left : left + width]
        cover = mask[place][..., None]
        self.paint[place] += cover * (np.append(colour, np.float32(1)) - self.paint[place])

    def shade(self, mask: Floats, depth: float, texture: Floats) -> None:
        """Make a flat shape round: light its relief, and ruffle it."""
        height = cv2.blur(cv2.blur(mask, (33, 33)), (33, 33)) + cv2.blur(mask, (15, 15)) / 3
        slope = -sum(
            toward * cv2.Sobel(height, cv2.CV_32F, *axis)
            for toward, axis in zip(LIGHT, ((1, 0), (0, 1)), strict=True)
        )
        light = np.clip(depth * slope + texture, -0.65, 0.6)
        self.paint[..., :3] *= (1 + mask * light)[..., None]


def to_subpixels(points: Floats) -> NDArray[np.int32]:
    """Bring points in pixels to the integers that cv2 draws with SUBPIXEL_BITS, [N, 2]."""
    return np.asarray(np.rint(points * 2**SUBPIXEL_BITS), np.int32)


def smooth(points: Floats) -> Floats:
    """Run a closed Catmull-Rom curve through points, [N, 2] -> [8 N, 2]."""
    around = points[(np.arange(len(points))[:, None] + np.arange(-1, 3)) % len(points)]
    return np.asarray((CATMULL_ROM @ around).reshape(-1, 2), np.float32)


def bgr(colour: str) -> Floats:
    """Read #RRGGBB, [3], 0..255."""
    return np.array([int(colour[place : place + 2], 16) for place in (5, 3, 1)], np.float32)


def feather(root: ArrayLike, tip: ArrayLike, width: float) -> Floats:
    """Outline a feather that is broadest near its round tip, [7, 2]."""
    start, along = np.asarray(root, np.float32), np.subtract(tip, root)
    aside = np.array((-along[1], along[0])) / np.hypot(*along) * width / 2
    return np.asarray(start + along * FEATHER[:, :1] + aside * FEATHER[:, 1:], np.float32)


def sprite(species: int, rng: np.random.Generator) -> Floats:
    """Draw one individual without scenery.

    Args:
        species: Index in PLUMAGES.
        rng: Decides its pose and what is its own in colour and shape.

    Returns:
        Premultiplied BGRA, float32 [CANVAS_PX, CANVAS_PX, 4], 0..255 and alpha 0..1.
    """
    plumage, canvas = PLUMAGES[species], Canvas(rng)
    grain = rng.normal(0, 0.09, (CANVAS_PX, CANVAS_PX)).astype(np.float32)
    ruffle = np.asarray(cv2.GaussianBlur(grain, (0, 0), 1.2, sigmaY=3.5), np.float32)
    tint = rng.normal(0, 4, 3).astype(np.float32)  # no two individuals are of quite one colour
    back = bgr(plumage.back) + tint
    _draw_legs(canvas, rng)
    _draw_tail(canvas, plumage, back * 0.72)
    if plumage.crest:
        _draw_crest(canvas, bgr(plumage.crest), rng)
    outline, plump = np.array(OUTLINE, np.float32), plumage.plump * rng.uniform(0.95, 1.07)
    outline[8:13] += (outline[8:13] - (50, 50)) * (plump - 1)  # the under side only
    body = canvas.mask(outline)
    canvas.fill(body, back)
    for points, colour, soft_px in (
        (BELLY, plumage.belly, 4.0),
        (FLANK, plumage.flank, 7.0),
        (CAP, plumage.cap, 1.2),
        (BIB, plumage.bib, 1.5),
        (MASK, plumage.mask, 1.0),
    ):
        if colour:
            canvas.fill(canvas.mask(points, soft_px=soft_px) * body, bgr(colour) + tint)
    if plumage.spotted:
        _draw_spots(canvas, canvas.mask(BELLY, soft_px=3.0) * body, rng)
    canvas.shade(body, 0.55, ruffle)
    _draw_wing(canvas, plumage, back * 0.82, ruffle)
    _draw_face(canvas, plumage)
    return canvas.paint


def _draw_legs(canvas: Canvas, rng: np.random.Generator) -> None:
    for x, shade in zip((44, 53) + rng.uniform(-1.5, 1.5, 2), (0.7, 1.0), strict=True):
        toes = [feather((x, FOOT[1] - 1.5), (x + toe, FOOT[1] + 1.2), 1.8) for toe in (-3, 3, 5)]
        for part in (feather((x - 1, 70), (x, FOOT[1]), 2.0), *toes):
            canvas.fill(canvas.mask(part), bgr("#60483e") * shade)


def _draw_tail(canvas: Canvas, plumage: Plumage, colour: Floats) -> None:
    for side in np.linspace(-1, 1, 5):
        angle, root = np.radians(128 + plumage.fork * side), np.array((30.0, 61.0 + 2 * side))
        along = np.array((np.cos(angle), np.sin(angle)))
        tip = root + along * (plumage.tail + 10 - (0 if plumage.fork > 10 else 2) * abs(side))
        for cut, width, shade in ((0, 5.5, 1.15), (0.5, 5.3, 0.9 + 0.08 * side)):
            canvas.fill(canvas.mask(feather(root, tip - along * cut, width)), colour * shade)
        if plumage.tail_tip:
            canvas.fill(canvas.mask(feather(tip - along * 9, tip, 5.5)), bgr(plumage.tail_tip))


def _draw_crest(canvas: Canvas, colour: Floats, rng: np.random.Generator) -> None:
    rise = rng.uniform(-3, 3)
    for place in np.linspace(1, 0, 8):  # the longest feather is in front
        root, tip = (67 - 13 * place, 20 + 6 * place), (42 + 2 * place, 6 - rise + 8 * place)
        canvas.fill(canvas.mask(feather(tip, root, 6.0)), colour * (1.1 - 0.35 * place))


def _draw_spots(canvas: Canvas, breast: Floats, rng: np.random.Generator) -> None:
    drops = []
    for row, column in np.ndindex(9, 9):
        x, y = np.array((44 + 3.9 * column + 2 * (row % 2), 43 + 3.9 * row)) + rng.normal(0, 0.6, 2)
        size = rng.uniform(0.9, 1.5) * (1 - 0.05 * row)
        drops.append(feather((x, y - 1.6 * size), (x, y + 1.2 * size), 1.9 * size))
    canvas.fill(canvas.mask(*drops) * breast, bgr("#423226"))


def _draw_wing(canvas: Canvas, plumage: Plumage, colour: Floats, ruffle: Floats) -> None:
    wing = canvas.mask(WING)
    shadow = np.roll(cv2.GaussianBlur(wing, (0, 0), 5), (5, 2), (0, 1))
    canvas.paint[..., :3] *= 1 - 0.3 * shadow[..., None]
    canvas.fill(wing, colour)
    for row, (count, width, roots, tips) in enumerate(WING_ROWS):
        pale = 0 < row <= plumage.wing_bars
        edge = bgr("#f4f2eb") if pale else colour * 1.28
        for root, tip in zip(np.linspace(*roots, count), np.linspace(*tips, count), strict=True):
            inner = root + (tip - root) * (0.78 if pale else 0.95)
            canvas.fill(canvas.mask(feather(root, tip, width)), edge)
            canvas.fill(canvas.mask(feather(root, inner, width * 0.9)), colour * (0.74 + 0.1 * row))
    canvas.shade(wing, 0.4, ruffle * 0.7)


def _draw_face(canvas: Canvas, plumage: Plumage) -> None:
    length, depth = plumage.bill
    for side, shade in ((1, 0.75), (-1, 1.1)):
        edge = (75, 30.5 + side * depth / 2), (75 + length / 2, 30.8 + side * depth / 3)
        bill = ((74, 30.5), *edge, (75 + length, 31.8), (80, 31))
        canvas.fill(canvas.mask(bill), bgr("#4a3e34") * shade)
    for centre, radius, colour in EYE:
        canvas.fill(canvas.mask(centre + radius * CIRCLE), bgr(colour))
