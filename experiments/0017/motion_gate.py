"""Record 0017: false windows and missed visits of the motion gate.

    python experiments/0017/motion_gate.py DATA OUT.csv

DATA contains train/images/<Species>/ and negatives/images/. Birds, cut out of photographs by
GrabCut, move over photographs without a bird in which light, leaves, noise or the camera change
too. The script counts windows without a bird in which a gate detects motion, and visits that it
misses; it compares birdfield's gate with the difference to a running mean and with OpenCV's MOG2.
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from birdfield.model.audio_specs import YAMNET
from birdfield.signals.boxes import Box
from birdfield.signals.image import read_image
from birdfield.signals.motion import (
    LOOK_INTERVAL_S,
    MIN_AREA_SHARE,
    NEW_SCENE,
    NO_MOTION,
    Motion,
    MotionGate,
    small_luma,
)
from birdfield.watch.window import WINDOW_STEP_S

SIZE_PX = (480, 270)
KINDS = ("still", "noise", "cloud", "exposure", "leaves", "gusts", "shake", "all")
SIZES = (0.30, 0.10, 0.05)  # of the picture's height: a bird's longer side
SCENES = 1  # of each kind
LEARN_S, EMPTY_S = 30.0, 120.0
VISITS, VISIT_S, EVERY_S, FLIGHT_S = 12, 10.0, 20.0, 1.0
STAY_S = 90.0  # one more visit at the end, whose bird does not leave


class Gate(Protocol):
    def look(self, frame: Any, time_s: float) -> Motion: ...


class RunningMean:
    """Gate by a difference of 25 of 255 to the mean of about 10 s."""

    def __init__(self) -> None:
        self._mean: Any = None

    def look(self, frame: Any, time_s: float) -> Motion:
        grey = small_luma(frame)
        self._mean = grey if self._mean is None else self._mean + 0.05 * (grey - self._mean)
        return mask_motion(np.abs(grey - self._mean) > 25)


class Mog2:
    """Gate by OpenCV's mixture of Gaussians over about 60 s."""

    def __init__(self) -> None:
        self._model = cv2.createBackgroundSubtractorMOG2(120, 16, False)

    def look(self, frame: Any, time_s: float) -> Motion:
        return mask_motion(self._model.apply(small_luma(frame).astype(np.uint8)) > 0)


def mask_motion(mask: Any) -> Motion:
    clean = cv2.medianBlur(mask.astype(np.uint8), 3)
    return (
        NEW_SCENE
        if cv2.connectedComponentsWithStats(clean)[2][1:, 4].max(initial=0)
        >= MIN_AREA_SHARE * clean.size
        else NO_MOTION
    )


GATES: dict[str, type[Any]] = {"birdfield": MotionGate, "running mean": RunningMean, "MOG2": Mog2}


def cut_bird(path: Path) -> Any:
    """Return the bird of a photograph, BGR and alpha, float32 [h, w, 4]; None if the cut fails."""
    image = read_image(path)
    scale = 200 / max(image.shape[:2])
    image = np.asarray(
        cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
    )
    rows, columns = image.shape[:2]
    mask = np.zeros((rows, columns), np.uint8)
    box = (columns // 16, rows // 16, columns * 7 // 8, rows * 7 // 8)
    cv2.grabCut(image, mask, box, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_RECT)
    alpha = cv2.medianBlur((mask & 1) * 255, 5)
    if not 0.08 < (alpha > 0).mean() < 0.7:
        return None
    left, top, width, height = cv2.boundingRect(alpha)
    soft = cv2.GaussianBlur(alpha, (0, 0), 1)
    return np.dstack([image, soft])[top : top + height, left : left + width].astype(np.float32)


def paste(frame: Any, bird: Any, side_px: float, centre: tuple[float, float]) -> Box | None:
    """Paste a bird into a frame; return the part of its box within the frame."""
    scale = side_px / max(bird.shape[:2])
    small = cv2.resize(bird, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    left, top = round(centre[0] - width / 2), round(centre[1] - height / 2)
    x, y = max(left, 0), max(top, 0)
    right, bottom = min(left + width, frame.shape[1]), min(top + height, frame.shape[0])
    if right <= x or bottom <= y:
        return None
    part = small[y - top : bottom - top, x - left : right - left]
    share = part[..., 3:] / 255
    frame[y:bottom, x:right] = frame[y:bottom, x:right] * (1 - share) + part[..., :3] * share
    return x, y, right - x, bottom - y


class Scene:
    """A photograph with the motion of a kind; frames BGR float32."""

    def __init__(self, kind: str, picture: Any, rng: np.random.Generator) -> None:
        self._kind, self._rng = kind, rng
        width, height = SIZE_PX
        self._picture = cv2.resize(picture, SIZE_PX).astype(np.float32)
        y, x = np.mgrid[:height, :width].astype(np.float32)
        self._x, self._y = x, y
        field = cv2.resize(
            rng.normal(size=(8, 14)).astype(np.float32), SIZE_PX, interpolation=cv2.INTER_CUBIC
        )
        self._leaves = np.clip((field - np.quantile(field, 0.8)) * 4, 0, 1)  # a fifth of it
        self._phase = cv2.resize(rng.uniform(0, 9, (9, 16)).astype(np.float32), SIZE_PX)
        self._hz = rng.uniform(0.3, 1.2, 2)
        self._cloud = rng.uniform(0, 60, 4)
        self._gain = 1.0
        self._pool = rng.normal(0, 1, (9, height, width, 3)).astype(np.float32)

    def at(self, time_s: float) -> Any:
        """Return the scene at a time, without noise."""
        kind, frame = self._kind, self._picture
        if kind in ("leaves", "all") or (kind == "gusts" and time_s % 30 > 20):
            sway = 5 * self._leaves
            dx, dy = (
                sway * np.sin(2 * np.pi * hz * time_s + self._phase * (1 + n))
                for n, hz in enumerate(self._hz)
            )
            frame = cv2.remap(
                frame,
                self._x + dx.astype(np.float32),
                self._y + dy.astype(np.float32),
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REFLECT,
            )
        if kind == "shake":
            move = np.array([[1, 0, self._rng.normal(0, 0.7)], [0, 1, self._rng.normal(0, 0.7)]])
            frame = cv2.warpAffine(frame, move, SIZE_PX, borderMode=cv2.BORDER_REFLECT)
        if kind in ("cloud", "all"):  # the sun, and the edge of a shadow that crosses in 8 s
            sun = 0.85 + 0.15 * np.sin(2 * np.pi * (time_s + self._cloud[0]) / 23)
            edge = ((time_s + self._cloud[1]) % 40) / 8 * SIZE_PX[0] - SIZE_PX[0]
            shade = 1 / (1 + np.exp((self._x - edge) / 40))
            frame = (
                frame
                * (
                    sun
                    * (
                        1
                        - 0.5
                        * shade
                        * (1 - 1 / (1 + np.exp((self._x - edge + 2 * SIZE_PX[0]) / 40)))
                    )
                )[..., None]
            )
        if kind == "exposure" and self._rng.random() < 0.04:
            self._gain = float(self._rng.uniform(0.6, 1.3))
        if kind == "noise":
            frame = frame * 0.35
        return frame * self._gain

    def shoot(self, frame: Any) -> Any:
        """Add the noise of the sensor and of JPEG."""
        noise = np.roll(self._pool[self._rng.integers(9)], self._rng.integers(200), axis=1)
        noisy = np.clip(frame + noise * (8 if self._kind == "noise" else 3), 0, 255)
        jpeg = cv2.imencode(".jpg", noisy.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
        return cv2.imdecode(jpeg, cv2.IMREAD_COLOR)


def windows(moving: dict[float, bool], start_s: float, end_s: float) -> tuple[int, int]:
    """Count the windows between two times, and those with motion."""
    starts = np.arange(start_s, end_s - YAMNET.window_s, WINDOW_STEP_S)
    found = [
        any(is_so for time_s, is_so in moving.items() if start <= time_s < start + YAMNET.window_s)
        for start in starts
    ]
    return len(found), sum(found)


def steps(end_s: float) -> Iterator[float]:
    yield from (round(float(time_s), 2) for time_s in np.arange(0, end_s, LOOK_INTERVAL_S))


def watch_empty(kind: str, picture: Any, seed: Any, tally: Any) -> None:
    scene, gates = (
        Scene(kind, picture, np.random.default_rng(seed)),
        {name: make() for name, make in GATES.items()},
    )
    moving: dict[str, dict[float, bool]] = {name: {} for name in gates}
    for time_s in steps(LEARN_S + EMPTY_S):
        frame = scene.shoot(scene.at(time_s))
        for name, gate in gates.items():
            moving[name][time_s] = gate.look(frame, time_s).moving
    for name in gates:
        count, found = windows(moving[name], LEARN_S, LEARN_S + EMPTY_S)
        tally(name, kind, "false windows", count, found)


def place(since_s: float, home: Any, side: int, rng: np.random.Generator) -> Any:
    """Return the place of a bird, which flies in for FLIGHT_S and then sits."""
    width, height = SIZE_PX
    gone = max(0.0, 1 - since_s / FLIGHT_S)
    return home[0] + side * gone * width * 0.7, home[1] - gone * height * 0.2


def watch_visits(kind: str, picture: Any, birds: list[Any], seed: Any, tally: Any) -> None:
    rng = np.random.default_rng(seed)
    scene, gates = Scene(kind, picture, rng), {name: make() for name, make in GATES.items()}
    hits: dict[str, list[tuple[int, float, bool]]] = {name: [] for name in gates}
    homes = rng.uniform(0.2, 0.8, (VISITS + 1, 2)) * SIZE_PX
    sides = rng.choice([-1, 1], VISITS + 1)
    guests = rng.permutation(len(birds))
    turn = int(rng.integers(len(SIZES)))
    for time_s in steps(LEARN_S + VISITS * EVERY_S + STAY_S):
        number = min(int((time_s - LEARN_S) // EVERY_S), VISITS)
        since_s = time_s - LEARN_S - number * EVERY_S
        frame, box = scene.at(time_s).copy(), None
        if number >= 0 and (since_s < VISIT_S or number == VISITS):
            if rng.random() < 0.1:
                homes[number] += rng.normal(0, 0.1 * SIZES[(number + turn) % 3] * SIZE_PX[1], 2)
            size_px = SIZES[(number + turn) % len(SIZES)] * SIZE_PX[1]
            box = paste(
                frame,
                birds[guests[number % len(guests)]],
                size_px,
                place(since_s, homes[number], sides[number], rng),
            )
        shot = scene.shoot(frame)
        for name, gate in gates.items():
            motion = gate.look(shot, time_s)
            if box is not None:
                hits[name].append((number, since_s, motion.moving and covers(motion.box, box)))
    for name, rows in hits.items():
        for number in range(VISITS):
            found = [hit for row, since_s, hit in rows if row == number]
            size = f"{SIZES[(number + turn) % len(SIZES)]:.0%}"
            tally(name, kind, f"missed visits, {size}", 1, not any(found))
            tally(name, kind, f"looks at a visitor, {size}", len(found), sum(found))
        last = [since_s for row, since_s, hit in rows if row == VISITS and hit]
        tally(name, kind, "seconds until a sitting bird is background", 1, max(last, default=0))


def covers(crop: Box | None, bird: Box) -> bool:
    if crop is None:
        return True
    x, y = bird[0] + bird[2] / 2, bird[1] + bird[3] / 2
    return crop[0] <= x <= crop[0] + crop[2] and crop[1] <= y <= crop[1] + crop[3]


def main() -> None:
    """Watch all scenes; print and write the counts."""
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    pictures = [read_image(path) for path in sorted((data / "negatives/images").iterdir())]
    species = sorted((data / "train/images").iterdir())
    birds = [
        bird for folder in species if (bird := cut_bird(sorted(folder.iterdir())[0])) is not None
    ]
    print(f"{len(birds)} birds, {len(pictures)} backgrounds", file=sys.stderr)
    totals: dict[tuple[str, str, str], list[float]] = {}

    def tally(*entry: Any) -> None:
        row = totals.setdefault(entry[:3], [0, 0])
        row[0] += entry[3]
        row[1] += entry[4]

    for kind_index, kind in enumerate(KINDS):
        for number in range(SCENES):
            picture = pictures[(kind_index * SCENES + number) * 4 % len(pictures)]
            watch_empty(kind, picture, (0, kind_index, number), tally)
            watch_visits(kind, picture, birds, (1, kind_index, number), tally)
    with out.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["gate", "scene", "what", "n", "sum", "mean"])
        for key, (count, total) in sorted(totals.items()):
            writer.writerow(
                [*key, int(count), round(float(total), 1), round(float(total) / count, 3)]
            )
            print(*key, int(count), round(float(total), 1), round(float(total) / count, 3), sep=",")


if __name__ == "__main__":
    main()
