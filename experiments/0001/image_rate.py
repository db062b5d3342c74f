"""Record 0001: image top-1 by the learning rate of the image projection.

    python experiments/0001/image_rate.py IMAGE_DIR OUT.csv

Trains triplets on VGG16 alone, with the image projection at a share of the heads' learning rate,
and scores the nearest species mean out of fold after some epochs; three seeds of folds and batches.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from birdfield.model.open_frontend import open_frontend
from birdfield.model.sense import Sense
from birdfield.paths import PACKAGED_YAMNET
from birdfield.recognise.dataset import scan_dataset
from birdfield_train.backbones import get_backbone
from birdfield_train.extractors import extractors_of
from birdfield_train.features import extract
from birdfield_train.fit import FitConfig, FitSetup, Fitter
from birdfield_train.samples import FOLDS, index_samples

sys.path.append(str(Path(__file__).parents[1] / "0005"))

import triplet_start  # noqa: E402
import vgg16_8bit  # noqa: E402

EPOCHS, SEEDS = triplet_start.EPOCHS, triplet_start.SEEDS
SHARES = (1.0, 0.1)


def main() -> None:
    """Measure both shares on the same folds."""
    images, out = map(Path, sys.argv[1:3])
    dataset = replace(scan_dataset(images, images, senses=[Sense.IMAGE]), audio=())
    backbone = get_backbone("vgg16")
    frontend = open_frontend("yamnet", PACKAGED_YAMNET)
    features = extract(dataset, extractors_of(backbone, frontend), lambda *_: None)
    rows = []
    for seed in SEEDS:
        samples = index_samples(features, dataset.species, seed)
        for share in SHARES:
            right: dict[int, list[bool]] = {epoch: [] for epoch in EPOCHS}
            for fold in range(FOLDS):
                split, tested = samples.split(fold), samples.tested(Sense.IMAGE, fold)
                asked = [samples.features[Sense.IMAGE][int(row)] for row in tested]
                config = FitConfig(image_rate=share)
                fitter = Fitter(split, FitSetup(backbone.channels, frontend.spec, config, seed))
                for epoch in EPOCHS:
                    fitter.run(epoch, lambda *_: None)
                    found = vgg16_8bit.nearest_means(
                        fitter.heads.embed_images(split.images),
                        split.image_labels,
                        fitter.heads.embed_images(asked),
                    )
                    right[epoch] += list(found == samples.labels[Sense.IMAGE][tested])
            rows += [
                {
                    "seed": seed,
                    "image_rate": share,
                    "epochs": epoch,
                    Sense.IMAGE: round(float(np.mean(values)), 4),
                    "n": len(values),
                }
                for epoch, values in right.items()
            ]
            print(rows[-len(EPOCHS) :], flush=True)
    triplet_start.write_rows(out, rows)


if __name__ == "__main__":
    main()
