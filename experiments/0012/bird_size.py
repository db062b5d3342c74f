"""Record 0012: image top-1 by the size of the bird in the picture.

    python experiments/0012/bird_size.py MODEL IMAGE_DIR NO_BIRD_DIR OUT.csv

Pastes photographs that the model was not trained on into pictures without a bird, at a share of the
picture's area, and answers for the whole picture.
"""

import csv
import sys
from pathlib import Path

import cv2
import numpy as np

from birdfield.evaluate.metrics import bootstrap_ci95
from birdfield.model.bundle import load_bundle
from birdfield.model.sense import Sense
from birdfield.recognise.dataset import scan_dataset, scan_flat
from birdfield.recognise.embed import embed_frame, read_photograph

SHARES = (1.0, 0.3, 0.1, 0.05)
SIZE_PX = (960, 1280)


def place(
    photograph: np.ndarray, scene: np.ndarray, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Paste a photograph into a scene at a random place; return it unchanged for a share of 1."""
    if share == 1.0:
        return photograph
    picture = cv2.resize(scene, SIZE_PX[::-1], interpolation=cv2.INTER_AREA)
    rows, columns = photograph.shape[:2]
    scale = np.sqrt(share * SIZE_PX[0] * SIZE_PX[1] / (rows * columns))
    scale = min(scale, SIZE_PX[0] / rows, SIZE_PX[1] / columns)
    small = cv2.resize(
        photograph, (int(columns * scale), int(rows * scale)), interpolation=cv2.INTER_AREA
    )
    top, left = (
        int(rng.integers(whole - part + 1))
        for whole, part in zip(SIZE_PX, small.shape, strict=False)
    )
    picture[top : top + len(small), left : left + small.shape[1]] = small
    return picture


def main(model: str, images: str, scenes: str, out: str) -> None:
    """Measure every share."""
    bundle = load_bundle(Path(model))
    encoder, gallery = bundle.encoder(2), bundle.factory_gallery()
    photographs = [
        (read_photograph(sample.path), gallery.labels.index(sample.label))
        for sample in scan_dataset(Path(images), Path(images), senses=[Sense.IMAGE]).images
    ]
    backgrounds = [
        read_photograph(sample.path) for sample in scan_flat(Path(scenes), Sense.IMAGE)[0]
    ]
    with Path(out).open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["share_of_area", "image_top1", "low", "high", "n"])
        for share in SHARES:
            rng = np.random.default_rng(0)
            right = []
            for photograph, label in photographs:
                scene = backgrounds[int(rng.integers(len(backgrounds)))]
                vector = embed_frame(encoder, place(photograph, scene, share, rng)).image
                assert vector is not None
                fused = encoder.fuse(vector, None)[None]
                right.append(int(gallery.similarities(fused, Sense.IMAGE)[0].argmax()) == label)
            low, high = bootstrap_ci95(np.array(right), np.arange(len(right)))
            row = [
                share,
                round(float(np.mean(right)), 4),
                round(low, 4),
                round(high, 4),
                len(right),
            ]
            writer.writerow(row)
            print(*row, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
