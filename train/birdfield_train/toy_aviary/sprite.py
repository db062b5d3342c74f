"""Sprites: individuals of the invented species, drawn with the shapes of their parts."""

import cv2
import numpy as np

from birdfield_train.toy_aviary.canvas import (
    CANVAS_PX,
    ORIGIN_PX,
    UNIT_PX,
    Canvas,
    Floats,
    bgr,
    feather,
)
from birdfield_train.toy_aviary.plumage import PLUMAGES, Plumage

FOOT = (50.0, 86.0)  # place of the feet, in units
FOOT_PX = (FOOT[0] * UNIT_PX + ORIGIN_PX[0], FOOT[1] * UNIT_PX + ORIGIN_PX[1])
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


def sprite(species: int, rng: np.random.Generator) -> Floats:
    """Draw an individual without scenery.

    Args:
        species: Index in PLUMAGES.
        rng: Decides the pose, and the individual's own colour and shape.

    Returns:
        Premultiplied BGRA, float32 [CANVAS_PX, CANVAS_PX, 4], 0..255 and alpha 0..1.
    """
    plumage, canvas = PLUMAGES[species], Canvas(rng)
    grain = rng.normal(0, 0.09, (CANVAS_PX, CANVAS_PX)).astype(np.float32)
    ruffle = np.asarray(cv2.GaussianBlur(grain, (0, 0), 1.2, sigmaY=3.5), np.float32)
    tint = rng.normal(0, 4, 3).astype(np.float32)  # each individual has a slightly different colour
    back = bgr(plumage.back) + tint
    _draw_legs(canvas, rng)
    _draw_tail(canvas, plumage, back * 0.72)
    if plumage.crest:
        _draw_crest(canvas, bgr(plumage.crest), rng)
    outline, plump = np.array(OUTLINE, np.float32), plumage.plump * rng.uniform(0.95, 1.07)
    outline[8:13] += (outline[8:13] - (50, 50)) * (plump - 1)  # the lower side only
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
    for place in np.linspace(1, 0, 8):  # the longest feather is at the front
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
