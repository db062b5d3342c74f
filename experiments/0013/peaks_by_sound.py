"""Record 0013: audio top-1 by the weight of peaks over time and by the shrinkage.

    python experiments/0013/peaks_by_sound.py DATA FRONTEND [OUT.csv]

Scores the discriminant that the audio tower starts from on DATA/audio, out of fold; three seeds of
the folds.
"""

import csv
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from birdfield.model.encoder import DIM, unit
from birdfield.model.open_frontend import open_frontend
from birdfield.paths import PACKAGED_YAMNET
from birdfield.recognise.dataset import scan_dataset
from birdfield.recognise.folds import assign_folds, fold_of
from birdfield.signals.audio import read_audio
from birdfield.signals.windows import repeat_patches, window_starts
from birdfield_train.projection import discriminant

PEAK_WEIGHTS, SHRINKAGES = (0.3, 1.0, 2.0, 4.0), (0.3, 0.5, 0.7, 0.85)
FOLDS, SEEDS = 5, (0, 1, 2)

Fit = Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]


def pool_windows(frames: Iterable[np.ndarray], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and peak of each window of count patches, and the recording's index.

    Returns:
        float32 [W, 2 dim] and int [W].
    """
    pooled, owner = [], []
    for row, own in enumerate(frames):
        windows = np.stack(
            [
                repeat_patches(own[start : start + count], count)
                for start in window_starts(len(own), count)
            ]
        )
        pooled.append(np.concatenate([windows.mean(axis=1), windows.max(axis=1)], axis=1))
        owner += [row] * len(windows)
    return np.concatenate(pooled).astype(np.float32), np.array(owner)


def top1(
    fit: Fit, windows: np.ndarray, owner: np.ndarray, labels: np.ndarray, folds: np.ndarray
) -> float:
    """Return the share of recordings whose own species mean of the other folds is nearest.

    `fit` returns the projection of windows that it fits to windows and their species.
    """
    right = 0
    for fold in range(FOLDS):
        own = folds[owner] != fold
        projected = fit(windows[own], labels[owner[own]])(windows)
        vectors = unit(
            np.stack([projected[owner == row].mean(axis=0) for row in range(len(labels))])
        )
        trained = folds != fold
        species = np.unique(labels[trained])
        means = unit(np.stack([vectors[trained & (labels == one)].mean(axis=0) for one in species]))
        found = species[(vectors[~trained] @ means.T).argmax(axis=1)]
        right += int((found == labels[~trained]).sum())
    return right / len(labels)


def discriminant_of(shrinkage: float) -> Fit:
    """Return the fit of the discriminant, which projects each window to length 1."""

    def fit(windows: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        kernel, bias = discriminant(windows, labels, DIM, shrinkage)
        return lambda rows: unit(rows @ kernel + bias)

    return fit


def main(data: str, frontend: str, out: str | None = None) -> None:
    """Measure every combination."""
    dataset = scan_dataset(Path(data) / "images", Path(data) / "audio")
    labels = np.array([dataset.labels.index(sample.label) for sample in dataset.audio])
    model = open_frontend(frontend, PACKAGED_YAMNET)
    dim = model.spec.dim - model.spec.class_dim  # without the class projection of record 0019
    windows, owner = pool_windows(
        (
            model.embed(read_audio(sample.path, model.spec.rate_hz))[:, :dim]
            for sample in dataset.audio
        ),
        model.spec.patches_per_window,
    )
    folds = [
        fold_of(dataset.audio, assign_folds([*dataset.images, *dataset.audio], FOLDS, seed))
        for seed in SEEDS
    ]
    rows = []
    for weight in PEAK_WEIGHTS:
        weighted = windows.copy()
        weighted[:, windows.shape[1] // 2 :] *= weight
        for shrinkage in SHRINKAGES:
            found = [
                top1(discriminant_of(shrinkage), weighted, owner, labels, one) for one in folds
            ]
            rows.append(
                [
                    frontend,
                    weight,
                    shrinkage,
                    len(labels),
                    round(float(np.mean(found)), 4),
                    round(float(np.std(found, ddof=1)), 4),
                ]
            )
            print(*rows[-1], flush=True)
    if out:
        with Path(out).open("a", newline="") as file:
            csv.writer(file).writerows(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
