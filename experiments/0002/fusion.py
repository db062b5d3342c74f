"""Record 0002: top-1 of pairs by the kind of fusion and its gain.

    python experiments/0002/fusion.py IMAGE_DIR AUDIO_DIR OUT.csv

Compares both senses in one aligned space, both in separate halves of the space, and late fusion of
the same towers, out of fold; also how often sound alone finds its species among prototypes of
photographs alone. Three seeds. The towers are the discriminant starts, so that only the fusion
differs.
"""

import csv
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield.evaluate.pairs import LabelledEmbeddings, draw_pairs
from birdfield.model.audio_specs import YAMNET
from birdfield.model.encoder import Vectors, unit
from birdfield.model.open_frontend import open_frontend
from birdfield.model.sense import Sense
from birdfield.paths import PACKAGED_YAMNET
from birdfield.recognise.dataset import scan_dataset
from birdfield_train.backbones import get_backbone
from birdfield_train.extractors import extractors_of
from birdfield_train.features import extract
from birdfield_train.heads import Heads
from birdfield_train.samples import FOLDS, IndexedSamples, index_samples

GAINS = (0.1, 0.2, 0.3, 0.45, 0.7, 1.0)
SEEDS = (0, 1, 2)


def means(vectors: Vectors, labels: NDArray[np.int64], species: int) -> Vectors:
    """Return the mean vector of each species, [species, 128]."""
    return unit(np.stack([vectors[labels == row].mean(axis=0) for row in range(species)]))


def score_fold(
    samples: IndexedSamples, fold: int, seed: int
) -> dict[tuple[str, float], list[bool]]:
    """Return which answers of a fold are right, by kind of fusion and gain."""
    split, count = samples.split(fold), len(samples.species)
    heads = Heads(get_backbone("vgg16").channels, YAMNET)
    heads.start(split)
    seen = means(heads.embed_images(split.images), split.image_labels, count)
    heard = means(heads.embed_audio(split.audio), split.audio_labels, count)
    tested = {}
    for sense, embed in ((Sense.IMAGE, heads.embed_images), (Sense.AUDIO, heads.embed_audio)):
        rows = samples.tested(sense, fold)
        tested[sense] = LabelledEmbeddings(
            embed([samples.features[sense][int(row)] for row in rows]),
            samples.labels[sense][rows],
            samples.recordings[sense][rows],
        )
    left, right = draw_pairs(tested[Sense.IMAGE], tested[Sense.AUDIO], seed)
    image, audio = tested[Sense.IMAGE].vectors[left], tested[Sense.AUDIO].vectors[right]
    truth = tested[Sense.IMAGE].labels[left]
    by_sight, by_sound = image @ seen.T, audio @ heard.T
    found = {("sight alone", 0.0): by_sight, ("sound among photographs", 0.0): audio @ seen.T}
    for gain in GAINS:
        found["one space", gain] = unit(image + gain * audio) @ unit(seen + gain * heard).T
        found["two halves", gain] = by_sight + gain**2 * by_sound
        found["late fusion", gain] = by_sight + gain * by_sound
    return {way: list(scores.argmax(axis=1) == truth) for way, scores in found.items()}


def main() -> None:
    """Measure every kind of fusion."""
    images, audio, out = map(Path, sys.argv[1:4])
    dataset = scan_dataset(images, audio)
    extractors = extractors_of(get_backbone("vgg16"), open_frontend("yamnet", PACKAGED_YAMNET))
    features = extract(dataset, extractors, lambda *_: None)
    rows = []
    for seed in SEEDS:
        samples = index_samples(features, dataset.species, seed)
        right: dict[tuple[str, float], list[bool]] = {}
        for fold in range(FOLDS):
            for key, answers in score_fold(samples, fold, seed).items():
                right.setdefault(key, []).extend(answers)
        for (way, gain), answers in right.items():
            rows.append([seed, way, gain, len(answers), round(float(np.mean(answers)), 4)])
            print(*rows[-1], flush=True)
    with out.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["seed", "way", "gain", "n", "both_top1"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
