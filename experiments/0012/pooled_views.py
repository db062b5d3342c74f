"""Record 0012: image top-1 by the number of views that the projection starts on.

    python experiments/0012/pooled_views.py IMAGE_DIR AUDIO_DIR TAILS OUT.csv

A fine-tuned EfficientNet-Lite0 pools views of each photograph; the nearest species mean is scored
out of fold before any triplet training of the heads, with the folds of seed 0. TAILS keeps the
fine-tuned stage of each fold, which takes minutes to fit, and the script uses it again.
"""

import csv
import sys
from pathlib import Path

import numpy as np

from birdfield.model.encoder import unit
from birdfield.model.open_frontend import open_frontend
from birdfield.model.sense import Sense
from birdfield.paths import PACKAGED_YAMNET
from birdfield.recognise.dataset import scan_dataset
from birdfield_train.backbones import get_backbone
from birdfield_train.extractors import extractors_of
from birdfield_train.features import extract
from birdfield_train.fine_tune import tuned_tail
from birdfield_train.heads import IMAGE_PEAK_WEIGHT, weighted_discriminant
from birdfield_train.samples import FOLDS, index_samples

sys.path.append(str(Path(__file__).parents[1] / "0005"))

import vgg16_8bit  # noqa: E402

SEED = 0
OTHERS = (0, 1, 3, 8)  # views beside the plain one


def main() -> None:
    """Measure each number of views on the same fine-tuned stages."""
    images, audio, tails, out = map(Path, sys.argv[1:5])
    tails.mkdir(parents=True, exist_ok=True)
    dataset = scan_dataset(images, audio)
    backbone = get_backbone("efficientnet-lite0")
    extractors = extractors_of(backbone, open_frontend("yamnet", PACKAGED_YAMNET))
    features = extract(dataset, extractors, lambda *_: None)
    samples = index_samples(features, dataset.species, SEED)
    right: dict[int, list[bool]] = {others: [] for others in OTHERS}
    for fold in range(FOLDS):
        split, tested = samples.split(fold), samples.tested(Sense.IMAGE, fold)
        tail = tuned_tail(
            backbone,
            split,
            SEED + 1 + fold,
            tails / f"fold{fold}-tail.npz",
            lambda *_: None,
        )
        assert tail is not None
        views = np.stack(
            [feature.load_pooled() for feature in tail.pool(split.images, max(OTHERS))]
        )
        asked = np.stack(
            [
                feature.load()
                for feature in tail.pool(
                    [samples.features[Sense.IMAGE][int(row)] for row in tested]
                )
            ]
        )
        labels = samples.labels[Sense.IMAGE][tested]
        for others in OTHERS:
            used = views[:, : others + 1]
            kernel, bias = weighted_discriminant(
                used.reshape(-1, used.shape[-1]),
                np.repeat(split.image_labels, others + 1),
                IMAGE_PEAK_WEIGHT,
            )
            found = vgg16_8bit.nearest_means(
                unit(views[:, 0] @ kernel + bias), split.image_labels, unit(asked @ kernel + bias)
            )
            right[others] += list(found == labels)
        print(
            {others: round(float(np.mean(values)), 4) for others, values in right.items()},
            flush=True,
        )
    with out.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["views", "top1", "n"])
        writer.writerows(
            [1 + others, round(float(np.mean(values)), 4), len(values)]
            for others, values in right.items()
        )


if __name__ == "__main__":
    main()
