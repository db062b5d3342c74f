"""Record 0011: image top-1 by the weight of directions beyond the species.

    python experiments/0011/directions_beyond.py DATA [OUT.csv]

Uses photographs alone, and EfficientNet-Lite0 without fine-tuning. Fits the projection on four
fifths of DATA/train/images; the rest tests the old species. Enrols each species of
DATA/enrol/images from three photographs, in five draws, and tests its other photographs among all
species.
"""

import csv
import sys
from pathlib import Path

import keras
import numpy as np

from birdfield.errors import InputError
from birdfield.model.encoder import DIM, unit
from birdfield.recognise.dataset import scan_dataset
from birdfield.recognise.embed import read_photograph
from birdfield.recognise.folds import assign_folds, fold_of
from birdfield.signals.image import preprocess
from birdfield_train import projection
from birdfield_train.backbones import get_backbone
from birdfield_train.heads import IMAGE_PEAK_WEIGHT
from birdfield_train.towers import pool_features

SHOTS, DRAWS, BATCH = 3, 5, 16

Pooled = tuple[np.ndarray, np.ndarray, np.ndarray]  # features, species, folds


def pooled(folder: Path) -> Pooled:
    """Return features [N, 2 C], species [N] and folds [N] of a folder's photographs."""
    backbone = get_backbone("efficientnet-lite0")
    base = backbone.build()
    model = keras.Model(base.input, keras.layers.Concatenate()(pool_features(base.output)))
    dataset = scan_dataset(folder, folder.parent / "audio")
    pictures, samples = [], []
    for sample in dataset.images:
        try:
            pictures.append(preprocess(read_photograph(sample.path), backbone.spec))
            samples.append(sample)
        except InputError:
            continue
    features = np.concatenate(
        [
            np.asarray(model.predict_on_batch(np.stack(pictures[start : start + BATCH])))
            for start in range(0, len(pictures), BATCH)
        ]
    )
    features[:, features.shape[1] // 2 :] *= IMAGE_PEAK_WEIGHT
    labels = [sample.label for sample in samples]
    _, owners = np.unique(labels, return_inverse=True)
    return features, owners, fold_of(samples, assign_folds(samples, 5, 0))


def top1(vectors: np.ndarray, prototypes: np.ndarray, owners: np.ndarray) -> float:
    """Return the share of right answers."""
    return float(((vectors @ prototypes.T).argmax(axis=1) == owners).mean())


def measure(old: Pooled, new: Pooled, shrinkage: float, beyond: float) -> list[float]:
    """Return top-1 of old species before enrolment, of new species, and of old ones after."""
    features, owners, folds = old
    kept, count = folds != 0, owners.max() + 1
    projection.BEYOND = beyond
    kernel, bias = projection.discriminant(features[kept], owners[kept], DIM, shrinkage)
    trained, tested, fresh = (
        unit(part @ kernel + bias) for part in (features[kept], features[~kept], new[0])
    )
    known = np.stack([unit(trained[owners[kept] == row].mean(axis=0)) for row in range(count)])
    results = []
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        chosen = [rng.permutation(np.flatnonzero(new[1] == row)) for row in range(new[1].max() + 1)]
        enrolled = np.stack([unit(fresh[rows[:SHOTS]].mean(axis=0)) for rows in chosen])
        left = np.concatenate([rows[SHOTS:] for rows in chosen])
        gallery = np.concatenate([known, enrolled])
        results.append(
            [top1(fresh[left], gallery, new[1][left] + count), top1(tested, gallery, owners[~kept])]
        )
    return [top1(tested, known, owners[~kept]), *np.mean(results, axis=0)]


def main() -> None:
    """Print the table."""
    data = Path(sys.argv[1])
    old, new = (pooled(data / part / "images") for part in ("train", "enrol"))
    rows: list[tuple[object, ...]] = [("shrinkage", "beyond", "old_before", "new", "old_after")]
    for shrinkage in (0.3, 0.5, 0.7):
        for beyond in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0):
            rows.append(
                (
                    shrinkage,
                    beyond,
                    *(round(value, 3) for value in measure(old, new, shrinkage, beyond)),
                )
            )
            print(*rows[-1], flush=True)
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w", newline="") as stream:
            csv.writer(stream).writerows(rows)


if __name__ == "__main__":
    main()
