"""The surroundings of a bird, and a film with sound whose script is known."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import soundfile
from numpy.typing import NDArray

from birdfield.signals.audio import Waveform
from birdfield_train.toy_aviary.plumage import (
    FOOT_PX,
    PLUMAGES,
    SUBPIXEL_BITS,
    Floats,
    bgr,
    feather,
    smooth,
    sprite,
    to_subpixels,
)
from birdfield_train.toy_aviary.songs import RATE_HZ, air, song

Frame = NDArray[np.uint8]

# Behind a bird: the colours in the shade and in the light, how far they run in upright streaks,
# and how many discs of blurred leaves and blades of grass are in it.
SCENERY = (
    ("#8fb4d6", "#dbe9f2", 1, 0, 0),
    ("#2f5230", "#a9c46c", 1, 60, 0),
    ("#3f3128", "#a08a70", 4, 5, 0),
    ("#4b6a2c", "#c3cb7e", 1, 12, 90),
    ("#6d7f92", "#e8dccb", 1, 25, 0),
)


LEAVES = ("#5d8a35", "#7da044", "#49733a", "#a8913c")
FILM_PX = (320, 240)
FRAME_HZ = 5
JPEG_QUALITY = 80  # of a film's frames: about 5 kB each
VISIT_S = 11.0
GAP_S = 6.0
AIR_LEVEL = 0.004  # root mean square of the film's background sound
FILM_FOOT = (160.0, 192.0)  # where the camera sees the perch, x and y in pixels
FILM_SCALE = 0.68  # pixels of a frame a pixel of the sprite


def backdrop(rng: np.random.Generator, size_px: tuple[int, int]) -> Frame:
    """Paint what is out of focus behind a bird: sky, foliage, bark or grass.

    Args:
        rng: Decides which, and how it looks.
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
    for _ in range(discs):  # leaves and gaps between them, as a wide lens shows what is far
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
    colour = bgr(dark) + (bgr(light) - bgr(dark)) * share
    return [float(channel) for channel in colour.clip(0, 255)]


def _noise(rng: np.random.Generator, size_px: tuple[int, int], cells: int, streak: int) -> Floats:
    grid = rng.normal(0, 0.5, (max(2, cells // streak), cells * streak)).astype(np.float32)
    return np.asarray(cv2.resize(grid, size_px, interpolation=cv2.INTER_CUBIC))


def perch(picture: Frame, foot: tuple[float, float], rng: np.random.Generator) -> None:
    """Draw a twig through the point foot (x, y), in pixels, with leaves on it."""
    width = picture.shape[1]
    lean, bow = rng.uniform(-0.16, 0.16), rng.uniform(-0.1, 0.1)
    x = np.linspace(-0.1, 1.1, 12) * width
    run = (x - foot[0]) / width
    y = foot[1] + width * (lean * run + bow * run**2)
    thick = width * rng.uniform(0.022, 0.05)
    bark = np.array((58, 74, 96)) * rng.uniform(0.6, 1.3)
    for layer in np.linspace(0, 1, 6):  # from the dark underside to the lit ridge
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


def place(
    picture: Frame,
    bird: Floats,
    foot: tuple[float, float],
    scale: float,
    turn_deg: float = 0.0,
    left: bool = False,
) -> Floats:
    """Stand a sprite in a picture.

    Args:
        picture: BGR, uint8 [H, W, 3]; is not changed.
        bird: What `sprite` returned.
        foot: Where its feet are, x and y in pixels.
        scale: Pixels of the picture per pixel of the sprite.
        turn_deg: How far it leans.
        left: Whether it faces left.

    Returns:
        BGR, float32 [H, W, 3].
    """
    matrix = np.array(cv2.getRotationMatrix2D(FOOT_PX, turn_deg, scale), np.float64)
    matrix[:, 2] -= FOOT_PX
    matrix[0] *= -1 if left else 1
    matrix[:, 2] += foot
    # Shrinking skips pixels of the sprite, so it is blurred to what the picture can show.
    soft = cv2.GaussianBlur(bird, (0, 0), max(0.01, 0.45 / scale))
    seen = cv2.warpAffine(soft, matrix, (picture.shape[1], picture.shape[0]))
    return np.asarray(picture * (1 - seen[..., 3:]) + seen[..., :3], np.float32)


@dataclass(frozen=True)
class Visit:
    """A stretch of the film.

    Attributes:
        species: Index in PLUMAGES; None where no bird is there.
        start_s: When it begins.
        end_s: When it ends.
        camera: "clear" or "covered": black.
        microphone: "clear" or "muted": silent, all zeros.
    """

    species: int | None
    start_s: float
    end_s: float
    camera: str
    microphone: str

    def to_json(self) -> dict[str, object]:
        """Return what `scene.json` says of it: the label, and the senses that can tell."""
        senses = [
            sense
            for sense, state in (("image", self.camera), ("audio", self.microphone))
            if state == "clear"
        ]
        label = None if self.species is None else PLUMAGES[self.species].name
        return {"species": label, "start_s": self.start_s, "end_s": self.end_s, "senses": senses}


def write_script(rng: np.random.Generator, visits: int) -> tuple[Visit, ...]:
    """Plan a film: both senses, then the microphone alone, then the camera alone.

    Args:
        rng: Decides who comes, and for how long.
        visits: Number of visits in each of the three parts.

    Returns:
        Visits and, before and after each, gaps; all begin and end on a frame.
    """
    script: list[Visit] = []
    now = 0
    for camera, microphone in (("clear", "clear"), ("covered", "clear"), ("clear", "muted")):
        order = np.concatenate([rng.permutation(len(PLUMAGES)) for _ in range(visits)])[:visits]
        guests = [None, *(guest for species in order for guest in (int(species), None))]
        for guest in guests:
            length_s = (GAP_S if guest is None else VISIT_S) + rng.uniform(-0.8, 0.8)
            until = now + round(length_s * FRAME_HZ)
            script.append(Visit(guest, now / FRAME_HZ, until / FRAME_HZ, camera, microphone))
            now = until
    return tuple(script)


def film(script: tuple[Visit, ...], rng: np.random.Generator) -> Iterator[Frame]:
    """Show a script to a camera that does not move, BGR uint8 [240, 320, 3] a frame."""
    empty = backdrop(rng, FILM_PX)
    perch(empty, FILM_FOOT, rng)
    grain = rng.normal(0, 2, (7, *empty.shape)).astype(np.float32)
    for visit in script:
        for seen in _show(visit, empty, rng):
            noise = np.roll(grain[rng.integers(len(grain))], rng.integers(len(empty)), axis=0)
            noisy = np.clip(seen + noise, 0, 255).astype(np.uint8)
            yield np.zeros_like(noisy) if visit.camera == "covered" else noisy


def _show(visit: Visit, empty: Frame, rng: np.random.Generator) -> Iterator[Floats]:
    count = round((visit.end_s - visit.start_s) * FRAME_HZ)
    if visit.species is None or visit.camera == "covered":
        yield from [empty.astype(np.float32)] * count
        return
    bird, left = sprite(visit.species, rng), bool(rng.random() < 0.5)
    turn_deg, shift = 0.0, rng.uniform(-20, 20)
    for index in range(count):
        away = FILM_PX[0] * max(0.0, 0.7 - 0.25 * min(index, count - 1 - index))
        if rng.random() < 0.3:  # a bird sits still between its movements
            turn_deg, shift = rng.uniform(-9, 9), shift * 0.8 + rng.normal(0, 4)
        foot = (FILM_FOOT[0] + shift + away * (1 if left else -1), FILM_FOOT[1] - away * 0.2)
        yield place(empty, bird, foot, FILM_SCALE, turn_deg, left)


def soundtrack(script: tuple[Visit, ...], rng: np.random.Generator) -> Waveform:
    """Play a script to a microphone, float32 [script's length x RATE_HZ], -1..1."""
    heard = air(rng, script[-1].end_s) * np.float32(AIR_LEVEL)
    for visit in script:
        stretch = heard[round(visit.start_s * RATE_HZ) : round(visit.end_s * RATE_HZ)]
        if visit.species is not None:
            sung = song(visit.species, rng, len(stretch) / RATE_HZ)
            stretch += sung * np.float32(rng.uniform(0.2, 0.6))
        if visit.microphone == "muted":
            stretch[:] = 0
    return heard


def write_scene(folder: Path, seed: int, visits: int = 10) -> tuple[Visit, ...]:
    """Write `scene.avi`, `scene.wav` and `scene.json`, of one length and in step.

    Args:
        folder: Is made where it is missing.
        seed: Decides the individuals and all else.
        visits: Number of visits in each of the three parts.

    Returns:
        The script, gaps among it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan_rng, film_rng, sound_rng = np.random.default_rng((seed, len(PLUMAGES))).spawn(3)
    script = write_script(plan_rng, visits)
    writer = cv2.VideoWriter(
        str(folder / "scene.avi"), cv2.VideoWriter.fourcc(*"MJPG"), FRAME_HZ, FILM_PX
    )
    writer.set(cv2.VIDEOWRITER_PROP_QUALITY, JPEG_QUALITY)
    for frame in film(script, film_rng):
        writer.write(frame)
    writer.release()
    soundfile.write(folder / "scene.wav", soundtrack(script, sound_rng), RATE_HZ, "PCM_16")
    entry = {
        "video": "scene.avi",
        "sound": "scene.wav",
        "frame_hz": FRAME_HZ,
        "rate_hz": RATE_HZ,
        "length_s": script[-1].end_s,
        "visits": [visit.to_json() for visit in script if visit.species is not None],
        "gaps": [visit.to_json() for visit in script if visit.species is None],
    }
    (folder / "scene.json").write_text(json.dumps(entry, indent=1) + "\n", encoding="utf-8")
    return script
