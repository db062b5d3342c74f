"""Record 0017: image top-1 of the motion gate's crop and of the whole picture.

    python experiments/0017/motion_crop.py DATA MODEL OUT.csv [--margins]

DATA contains train/, enrol/ and extra/ images, which MODEL may have been trained on, and
unknown/images, which it was not; negatives/images are backgrounds. A bird, cut out by GrabCut,
appears in a still scene of 1920x1080 that the motion gate has learnt. The script answers for the
whole picture, for the crop of the gate, for the photograph itself as an upper bound, and with
--margins for the bird's own box. Species of unknown/ are named by the nearest mean vector of their
whole photographs, leaving out the photograph in question.
"""

import csv
import itertools
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import motion_gate
import numpy as np

from birdfield.model.bundle import load_bundle
from birdfield.model.encoder import Encoder, unit
from birdfield.model.sense import Sense
from birdfield.signals.boxes import crop
from birdfield.signals.image import read_image
from birdfield.signals.motion import MotionGate

FRAME_PX = (1920, 1080)
SIZES = (0.60, 0.30, 0.10, 0.05)  # of the picture's height: a bird's longer side
MARGINS = (1.2, 1.5, 2.0, 3.0) if "--margins" in sys.argv else ()
A_SPECIES = 1  # photographs shown of each species
LOOKS = 2  # at the scene before the bird appears
NOISE = np.array([4.0, 0, 0])  # of 255, in the blue channel only
SEED = 0
GRAIN = itertools.cycle(
    [
        cv2.randn(np.empty((FRAME_PX[1], FRAME_PX[0], 3), np.int16), np.zeros(3), NOISE)
        for _ in range(5)
    ]
)


def shoot(picture: Any) -> Any:
    return np.clip(picture + next(GRAIN), 0, 255).astype(np.uint8)


def views(bird: Any, backdrop: Any, size: float, rng: np.random.Generator) -> dict[str, Any]:
    """Return the views of one appearance, without the gate's when it missed the bird."""
    gate = MotionGate()
    for look in range(LOOKS):
        gate.look(shoot(backdrop), look / 2)
    scene = backdrop.copy()
    x, y = (float(value) for value in rng.uniform(0.2, 0.8, 2) * FRAME_PX)
    box = motion_gate.paste(scene, bird, size * FRAME_PX[1], (x, y))
    frame = shoot(scene)
    motion = gate.look(frame, LOOKS / 2)
    found = {"whole": frame}
    if motion.moving:
        found["gate"] = crop(frame, motion.box)
    for margin in MARGINS:
        found[f"true box x {margin}"] = crop(frame, true_square(box, margin))
    return found


def true_square(box: Any, margin: float) -> Any:
    left, top, width, height = box
    side = min(round(margin * max(width, height)), *FRAME_PX)
    return (
        int(np.clip(left + (width - side) // 2, 0, FRAME_PX[0] - side)),
        int(np.clip(top + (height - side) // 2, 0, FRAME_PX[1] - side)),
        side,
        side,
    )


def photographs(data: Path, folders: tuple[str, ...], most: int) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = defaultdict(list)
    for name in folders:
        for folder in sorted((data / name / "images").iterdir()):
            found[folder.name.replace("_", " ")] += sorted(folder.iterdir())[:most]
    return found


def embed_unknown(encoder: Encoder, data: Path) -> Any:
    """Return the vectors of whole photographs of species that the model does not know."""
    return {
        label: {path: encoder.image_vector(read_image(path)) for path in paths}
        for label, paths in photographs(data, ("unknown",), 5).items()
    }


def main() -> None:
    """Show each bird at each size; count the right answers of each view."""
    data, model, out = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    cv2.setNumThreads(1)
    bundle = load_bundle(model)
    encoder, gallery = bundle.encoder(1), bundle.factory_gallery()
    rng = np.random.default_rng(SEED)
    backdrops = [
        cv2.resize(read_image(path), FRAME_PX).astype(np.int16)
        for path in sorted((data / "negatives/images").iterdir())[::8]
    ]
    known = {
        label: paths
        for label, paths in photographs(data, ("train", "enrol", "extra"), A_SPECIES).items()
        if label in gallery.labels
    }
    others = embed_unknown(encoder, data)
    totals: dict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0, 0])

    def named(vector: Any, label: str, path: Path) -> bool:
        if label in known:
            rows = gallery.similarities(encoder.fuse(vector, None)[None], Sense.IMAGE)
            return bool(gallery.labels[int(rows[0].argmax())] == label)
        means = {
            name: unit(np.mean([one for place, one in vectors.items() if place != path], axis=0))
            for name, vectors in others.items()
        }
        return bool(max(means, key=lambda name: float(means[name] @ vector)) == label)

    queries = [
        ("strangers", label, path)
        for label, paths in others.items()
        for path in list(paths)[:A_SPECIES]
        if len(paths) > A_SPECIES
    ]
    queries += [("trained on", label, path) for label, paths in known.items() for path in paths]
    for number, (group, label, path) in enumerate(queries):
        bird = motion_gate.cut_bird(path)
        if bird is None:
            continue
        totals[group, "photograph", ""][0] += 1
        totals[group, "photograph", ""][1] += named(
            encoder.image_vector(read_image(path)), label, path
        )
        for size in SIZES:
            seen = views(bird, backdrops[number % len(backdrops)], size, rng)
            totals[group, "gate missed", f"{size:.0%}"][0] += 1
            totals[group, "gate missed", f"{size:.0%}"][1] += "gate" not in seen
            for view, frame in seen.items():
                row = totals[group, view, f"{size:.0%}"]
                row[0] += 1
                row[1] += named(encoder.image_vector(frame), label, path)
        write(out, totals)


def write(out: Path, totals: Any) -> None:
    """Write the counts so far."""
    with out.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["species", "view", "bird", "n", "right", "share"])
        for key, (count, right) in totals.items():
            writer.writerow([*key, int(count), int(right), round(right / count, 3)])


if __name__ == "__main__":
    main()
