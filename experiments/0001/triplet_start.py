"""Record 0001: top-1 by the start of the projections and by their learning rate.

    python experiments/0001/triplet_start.py IMAGE_DIR AUDIO_DIR OUT.csv

Scores out of fold after some epochs of triplets; three seeds of folds and batches. With 43 species
and two cores this needs about 25 minutes.
"""

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from birdfield.evaluate.pairs import LabelledEmbeddings
from birdfield.evaluate.scores import EvaluationScores, score
from birdfield.model.open_frontend import open_frontend
from birdfield.model.sense import Sense
from birdfield.paths import PACKAGED_YAMNET
from birdfield.recognise.dataset import scan_dataset
from birdfield_train.backbones import get_backbone
from birdfield_train.extractors import extractors_of
from birdfield_train.factory import build_gallery
from birdfield_train.features import extract
from birdfield_train.fit import FitConfig, FitSetup, Fitter
from birdfield_train.heads import Heads
from birdfield_train.samples import FOLDS, IndexedSamples, index_samples

GAIN = 0.3
EPOCHS = (0, 2, 8)
SEEDS = (0, 1, 2)
STARTS = {"discriminant": (3e-5, 3e-4), "random": (3e-4, 1e-3)}


def score_fold(samples: IndexedSamples, fold: int, heads: Heads, seed: int) -> EvaluationScores:
    """Score the held-out fold with prototypes of the other folds."""
    split = samples.split(fold)
    fusion = heads.fusion_weights().with_gain(GAIN)
    gallery = build_gallery(fusion.fuse, samples.species, *heads.embed_split(split))
    tested = {}
    for sense, embed in ((Sense.IMAGE, heads.embed_images), (Sense.AUDIO, heads.embed_audio)):
        rows = samples.tested(sense, fold)
        tested[sense] = LabelledEmbeddings(
            embed([samples.features[sense][int(row)] for row in rows]),
            samples.labels[sense][rows],
            samples.recordings[sense][rows],
        )
    return score(fusion.fuse, gallery, tested[Sense.IMAGE], tested[Sense.AUDIO], seed)


def write_rows(out: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of the same columns as CSV."""
    with out.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Measure every combination."""
    images, audio, out = map(Path, sys.argv[1:4])
    dataset = scan_dataset(images, audio)
    backbone = get_backbone("vgg16")
    frontend = open_frontend("yamnet", PACKAGED_YAMNET)
    features = extract(dataset, extractors_of(backbone, frontend), lambda *_: None)
    rows = []
    for seed in SEEDS:
        samples = index_samples(features, dataset.species, seed)
        for start, rates in STARTS.items():
            for rate in rates:
                results: dict[int, list[EvaluationScores]] = {epoch: [] for epoch in EPOCHS}
                for fold in range(FOLDS):
                    config = FitConfig(learning_rate=rate)
                    fitter = Fitter(
                        samples.split(fold),
                        FitSetup(backbone.channels, frontend.spec, config, seed),
                    )
                    if start == "random":
                        fitter.heads.set_weights(
                            Heads(backbone.channels, frontend.spec).get_weights()
                        )
                    for epoch in EPOCHS:
                        fitter.run(epoch, lambda *_: None)
                        results[epoch].append(score_fold(samples, fold, fitter.heads, seed))
                for epoch, parts in results.items():
                    top1 = {
                        sense: round(
                            float(
                                np.mean(
                                    np.concatenate([getattr(part, sense).correct for part in parts])
                                )
                            ),
                            4,
                        )
                        for sense in ("image", "audio", "both")
                    }
                    rows.append(
                        {
                            "seed": seed,
                            "start": start,
                            "learning_rate": rate,
                            "epochs": epoch,
                            **top1,
                        }
                    )
                    print(rows[-1], flush=True)
    write_rows(out, rows)


if __name__ == "__main__":
    main()
