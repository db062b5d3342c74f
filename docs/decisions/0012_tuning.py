"""Evidence for 0012: python docs/decisions/0012_tuning.py DATA OUT.csv [SEED...].

Top-1 by image out of fold (5 folds by recording) of EfficientNet-Lite0 on DATA/train/images, by the
discriminant start alone, for several ways of fine-tuning its last stage.
"""

import csv
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from birdfield.config import PACKAGED_YAMNET
from birdfield.dataset import scan
from birdfield.encoder import unit
from birdfield.frontend import open_frontend
from birdfield_train.backbones import Tuning, get_backbone
from birdfield_train.crossval import FOLDS, index_samples
from birdfield_train.features import Feature, extract
from birdfield_train.heads import IMAGE_PEAK_WEIGHT, weighted_discriminant
from birdfield_train.tune import Tail

BACKBONE = get_backbone("efficientnet-lite0")
assert BACKBONE.tuning is not None
CHOSEN = BACKBONE.tuning
WAYS: dict[str, Tuning | None] = {
    "frozen": None,
    "4 views, 5 epochs from 1e-4": replace(CHOSEN, views=4, epochs=5, learning_rate=1e-4),
    "4 views, 8 epochs from 2e-4": replace(CHOSEN, views=4),
    "8 views, 8 epochs from 2e-4": CHOSEN}


def silent(*_: object) -> None:
    """Tell nobody."""


def right(train: Sequence[Feature], labels: NDArray[np.int64], test: Sequence[Feature],
          truth: NDArray[np.int64]) -> int:
    """Count the right answers of nearest means behind the discriminant."""
    pooled = np.stack([feature.load() for feature in train])
    kernel, bias = weighted_discriminant(pooled, labels, IMAGE_PEAK_WEIGHT)
    vectors = unit(pooled @ kernel + bias)
    species = np.unique(labels)
    means = unit(np.stack([vectors[labels == row].mean(axis=0) for row in species]))
    tested = unit(np.stack([feature.load() for feature in test]) @ kernel + bias)
    return int((species[(tested @ means.T).argmax(axis=1)] == truth).sum())


def main() -> None:
    """Tune each fold in each way."""
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    seeds = [int(word) for word in sys.argv[3:]] or [0]
    found = scan(data / "train" / "images", data / "train" / "audio", senses=["image"])
    features = extract(found, BACKBONE, open_frontend("yamnet", PACKAGED_YAMNET), silent)
    rows = []
    for seed in seeds:
        samples = index_samples(features, found.species, seed)
        images, labels = samples.features["image"], samples.labels["image"]
        for way, tuning in WAYS.items():
            count = 0
            for fold in range(FOLDS):
                split, tested = samples.split(fold), samples.tested("image", fold)
                keras.utils.set_random_seed(seed + 1 + fold)
                tail = Tail(BACKBONE, tuning or CHOSEN)
                if tuning:
                    tail.tune(split.images, split.image_labels, seed + 1 + fold, silent)
                count += right(tail.pool(split.images), split.image_labels,
                               tail.pool([images[int(row)] for row in tested]), labels[tested])
            n = int((samples.folds["image"] >= 0).sum())
            rows.append({"seed": seed, "way": way, "image_top1": round(count / n, 4), "n": n})
            print(*rows[-1].values(), flush=True)
    with out.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
