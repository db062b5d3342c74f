"""Explicit triplets of photographs and recordings, with negatives that sound alike."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from birdfield.errors import InputError, UsageError
from birdfield.model.audio_specs import YAMNET
from birdfield.model.encoder import unit
from birdfield.model.yamnet import Yamnet
from birdfield.recognise.dataset import Sample, scan_dataset
from birdfield.signals.audio import Waveform, read_audio, to_mono
from birdfield.signals.windows import repeat_patches

RESAMPLERS = ("soxr", "resampy")
HARD_SHARE = 0.25  # of the other species' recordings: the most similar are hard negatives
SEED = 0

Embed = Callable[[Waveform], NDArray[np.float32]]


class Triplet(NamedTuple):
    """An anchor, another sample of its species, and a like-sounding sample of another species.

    Images are paths; audio is float32 [10, D], a window of YAMNet patches: 5120 numbers
    each by a `Yamnet`, 1024 by a hub model.
    """

    anchor_image: Path
    anchor_audio: NDArray[np.float32]
    positive_image: Path
    positive_audio: NDArray[np.float32]
    negative_image: Path
    negative_audio: NDArray[np.float32]


def prepare_triplets(
    image_dir: str | Path,
    audio_dir: str | Path,
    yamnet_model: Any,
    num_triplets_per_class: int = 100,
    resampler: str = "soxr",
) -> list[Triplet]:
    """Draw triplets from the species that have photographs and recordings.

    Anchor and positive are different photographs, and different recordings where the species
    has them. The negative's recording is among those of other species with the highest cosine
    similarity of mean embedding to the anchor's. The draw is seeded.

    Args:
        image_dir: Photographs, a folder a species.
        audio_dir: Recordings, a folder a species.
        yamnet_model: A `birdfield.frontend.Yamnet`, or any callable with the interface of
            google/yamnet/1: waveform -> (scores, embeddings, log-mel).
        num_triplets_per_class: How many for each species.
        resampler: "soxr" or "resampy".

    Returns:
        The triplets, species by species.

    Raises:
        UsageError: When the resampler is unknown.
        InputError: When a file cannot be read, or fewer than two species have what is needed.
    """
    if resampler not in RESAMPLERS:
        raise UsageError(f"resampler is {resampler!r}; expected one of {', '.join(RESAMPLERS)}")
    dataset = scan_dataset(Path(image_dir), Path(audio_dir))
    embed = _embedder(yamnet_model)
    images = {
        label: [sample for sample in dataset.images if sample.label == label]
        for label in dataset.labels
    }
    usable = [label for label in dataset.labels if len(images[label]) >= 2]
    audio = [sample for sample in dataset.audio if sample.label in usable]
    usable = [label for label in usable if sum(own.label == label for own in audio) >= 2]
    if len(usable) < 2:
        raise InputError(
            f"{len(usable)} species have two photographs in {image_dir} and two "
            f"recordings in {audio_dir}; expected at least 2 such species"
        )
    audio = [sample for sample in audio if sample.label in usable]
    sequences = [embed(_read(sample.path, resampler)) for sample in audio]
    return _draw(usable, images, audio, sequences, num_triplets_per_class)


def _embedder(model: Any) -> Embed:
    if isinstance(model, Yamnet):
        return model.embed
    return lambda waveform: np.asarray(model(waveform)[1], np.float32)


def _read(path: Path, resampler: str) -> Waveform:
    if resampler == "soxr":
        return read_audio(path, YAMNET.rate_hz)
    import resampy

    try:
        sound, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise InputError(f"{path}: not a recording that can be decoded") from error
    if not np.isfinite(sound).all():
        raise InputError(f"{path}: holds samples that are no finite numbers; expected -1..1")
    mono = to_mono(sound)
    if rate_hz == YAMNET.rate_hz or not len(mono):
        return mono
    # The default filter fades out from 7.3 kHz on, which YAMNet hears: on real recordings a cosine
    # to soxr down to 0.9955. This one gives 1.0000.
    return np.asarray(
        resampy.resample(
            mono, rate_hz, YAMNET.rate_hz, filter="sinc_window", num_zeros=64, rolloff=0.95
        ),
        np.float32,
    )


def _draw(
    labels: Sequence[str],
    images: dict[str, list[Sample]],
    audio: Sequence[Sample],
    sequences: Sequence[NDArray[np.float32]],
    count: int,
) -> list[Triplet]:
    rng = np.random.default_rng(SEED)
    means = unit(np.stack([sequence.mean(axis=0) for sequence in sequences]))
    cosine = means @ means.T
    owners = np.array([labels.index(sample.label) for sample in audio])
    triplets = []
    for row, label in enumerate(labels):
        own = np.flatnonzero(owners == row)
        for _ in range(count):
            anchor = int(rng.choice(own))
            positive = int(rng.choice(_positives(audio, own, anchor)))
            negative = int(rng.choice(_hard_negatives(cosine[anchor], owners != row)))
            seen, again = rng.choice(len(images[label]), 2, replace=False)
            other = images[audio[negative].label]
            triplets.append(
                Triplet(
                    images[label][seen].path,
                    _window(sequences[anchor], rng),
                    images[label][again].path,
                    _window(sequences[positive], rng),
                    other[int(rng.integers(len(other)))].path,
                    _window(sequences[negative], rng),
                )
            )
    return triplets


def _positives(audio: Sequence[Sample], own: NDArray[np.intp], anchor: int) -> list[int]:
    """Choose from the species' other recordings; from other clips where there is only one."""
    elsewhere = [int(row) for row in own if audio[row].recording != audio[anchor].recording]
    return elsewhere or [int(row) for row in own if row != anchor]


def _hard_negatives(cosine: NDArray[np.float32], others: NDArray[np.bool_]) -> NDArray[np.intp]:
    rows = np.flatnonzero(others)
    count = max(1, round(HARD_SHARE * len(rows)))
    return rows[np.argsort(-cosine[rows], kind="stable")[:count]]


def _window(sequence: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    start = int(rng.integers(max(1, len(sequence) - YAMNET.patches_per_window + 1)))
    return repeat_patches(
        sequence[start : start + YAMNET.patches_per_window], YAMNET.patches_per_window
    )
