"""Record 0016: audio top-1 by the number of versions of each recording in training.

    python experiments/0016/versions_of_sound.py DATA NOISE_DIR OUT.csv

Scores YAMNet on DATA/audio, out of fold, clean and in noise that no version contains; two seeds of
the folds.
"""

import csv
import sys
from pathlib import Path

import numpy as np

from birdfield.model.audio_specs import YAMNET
from birdfield.model.encoder import unit
from birdfield.model.frontend import Frontend
from birdfield.model.open_frontend import open_frontend
from birdfield.model.sense import Sense
from birdfield.paths import PACKAGED_YAMNET
from birdfield.recognise.dataset import scan_dataset, scan_flat
from birdfield.recognise.folds import assign_folds, fold_of
from birdfield.signals.audio import read_audio
from birdfield.signals.noise import mix_noise
from birdfield.signals.windows import repeat_patches, window_starts
from birdfield_train.augment_sound import augment_sound
from birdfield_train.heads import AUDIO_PEAK_WEIGHT, weighted_discriminant

FOLDS, SEEDS = 5, (0, 1)
VERSIONS, SNRS_DB = (0, 1, 3), (10, 0)


def pooled(frontend: Frontend, waveform: np.ndarray) -> np.ndarray:
    """Return mean and peak of each window, [W, 2 dim]."""
    frames, count = frontend.embed(waveform), YAMNET.patches_per_window
    windows = np.stack(
        [
            repeat_patches(frames[start : start + count], count)
            for start in window_starts(len(frames), count)
        ]
    )
    return np.concatenate([windows.mean(axis=1), windows.max(axis=1)], axis=1).astype(np.float32)


def top1(
    trained: list[list[np.ndarray]],
    clean: list[np.ndarray],
    tested: dict[str, list[np.ndarray]],
    labels: np.ndarray,
    folds: np.ndarray,
) -> dict[str, float]:
    """Return top-1 by the nearest species mean of the other folds, by condition."""
    right = dict.fromkeys(tested, 0)
    for fold in range(FOLDS):
        own = np.flatnonzero(folds != fold)
        windows = [(version[row], labels[row]) for version in trained for row in own]
        kernel, bias = weighted_discriminant(
            np.concatenate([found for found, _ in windows]),
            np.concatenate([np.full(len(found), label) for found, label in windows]),
            AUDIO_PEAK_WEIGHT,
        )
        vectors = {
            name: unit(np.stack([unit(found @ kernel + bias).mean(axis=0) for found in rows]))
            for name, rows in {**tested, "prototypes": clean}.items()
        }
        species = np.unique(labels[own])
        means = unit(
            np.stack(
                [vectors["prototypes"][own][labels[own] == one].mean(axis=0) for one in species]
            )
        )
        for name in tested:
            out = folds == fold
            answers = species[(vectors[name][out] @ means.T).argmax(axis=1)]
            right[name] += int((answers == labels[out]).sum())
    return {name: count / len(labels) for name, count in right.items()}


def main(data: str, noise_dir: str, out: str) -> None:
    """Measure every number of versions."""
    dataset = scan_dataset(Path(data) / "images", Path(data) / "audio")
    frontend = open_frontend("yamnet", PACKAGED_YAMNET)
    labels = np.array([dataset.labels.index(sample.label) for sample in dataset.audio])
    waveforms = [read_audio(sample.path, YAMNET.rate_hz) for sample in dataset.audio]
    noises = [sample.path for sample in scan_flat(Path(noise_dir), Sense.AUDIO)[0]]
    seen, unseen = noises[::2], [read_audio(path, YAMNET.rate_hz) for path in noises[1::2]]
    clean = [pooled(frontend, waveform) for waveform in waveforms]
    versions = [
        [
            pooled(
                frontend,
                augment_sound(waveform, YAMNET.rate_hz, seen, np.random.default_rng([turn, row])),
            )
            for row, waveform in enumerate(waveforms)
        ]
        for turn in range(max(VERSIONS))
    ]
    tested = {"clean": clean}
    for snr_db in SNRS_DB:
        draws = [np.random.default_rng([snr_db, row]) for row in range(len(waveforms))]
        tested[f"{snr_db} dB"] = [
            pooled(
                frontend, mix_noise(waveform, unseen[int(rng.integers(len(unseen)))], snr_db, rng)
            )
            for waveform, rng in zip(waveforms, draws, strict=True)
        ]
    with Path(out).open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["versions", *tested, "n"])
        for count in VERSIONS:
            found = [
                top1(
                    [clean, *versions[:count]],
                    clean,
                    tested,
                    labels,
                    fold_of(
                        dataset.audio, assign_folds([*dataset.images, *dataset.audio], FOLDS, seed)
                    ),
                )
                for seed in SEEDS
            ]
            row = [
                count,
                *(round(float(np.mean([one[name] for one in found])), 4) for name in tested),
                len(labels),
            ]
            writer.writerow(row)
            stream.flush()
            print(*row, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
