"""Record 0005: image top-1 of the 8-bit VGG16 base and of its float weights.

    python experiments/0005/vgg16_8bit.py FLOAT_WEIGHTS.h5 IMAGE_DIR AUDIO_DIR

Scores the nearest species mean in the discriminant space, out of fold, on the features of both.
"""

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
from birdfield_train.heads import Heads
from birdfield_train.samples import FOLDS, index_samples


def nearest_means(known: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return the species, int64 [M], with the mean of known [N, D] nearest to asked [M, D]."""
    means = unit(np.stack([known[labels == row].mean(axis=0) for row in range(labels.max() + 1)]))
    return np.asarray((asked @ means.T).argmax(axis=1))


def main() -> None:
    """Print both figures and the cosine between the features."""
    weights, images, audio = map(Path, sys.argv[1:4])
    dataset = scan_dataset(images, audio)
    frontend = open_frontend("yamnet", PACKAGED_YAMNET)
    pooled = {}
    for name, given in (("8-bit", None), ("float", weights)):
        backbone = get_backbone("vgg16", given)
        features = extract(dataset, extractors_of(backbone, frontend), lambda *_: None)
        samples = index_samples(features, dataset.species, seed=0)
        right = []
        for fold in range(FOLDS):
            split = samples.split(fold)
            heads = Heads(backbone.channels, frontend.spec)
            heads.start(split)
            rows = samples.tested(Sense.IMAGE, fold)
            tested = heads.embed_images([samples.features[Sense.IMAGE][int(row)] for row in rows])
            found = nearest_means(heads.embed_images(split.images), split.image_labels, tested)
            right.append(found == samples.labels[Sense.IMAGE][rows])
        pooled[name] = unit(np.stack([feature.load() for feature in features.images]))
        print(
            f"{name}: image top-1 {np.concatenate(right).mean():.4f}, n = {sum(map(len, right))}",
            flush=True,
        )
    cosine = (pooled["8-bit"] * pooled["float"]).sum(axis=1)
    print(f"cosine of pooled features: {cosine.mean():.5f} mean, {cosine.min():.5f} least")


if __name__ == "__main__":
    main()
