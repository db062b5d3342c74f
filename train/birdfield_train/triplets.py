"""Triplets: explicit triplets of photographs and recordings, with similar-sounding negatives."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from birdfield.errors import InputError, UsageError
from birdfield.model.audio_specs import YAMNET
from birdfield.model.encoder import unit
from birdfield.model.yamnet import Yamnet
from birdfield.recognise.dataset import Sample, scan_dataset
from birdfield.signals.audio import Waveform, read_audio, sample_rate
from birdfield.signals.windows import repeat_patches

RESAMPLERS = ("soxr", "resampy")
HARD_SHARE = 0.25  # of the recordings of other species; the most similar are hard negatives
SEED = 0

Embed = Callable[[Waveform], NDArray[np.float32]]
# The interface of google/yamnet/1: waveform -> scores, embeddings, log-mel.
HubModel = Callable[[Waveform], tuple[ArrayLike, ArrayLike, ArrayLike]]


class Triplet(NamedTuple):
    """An anchor, another sample of its species, and a similar-sounding one of another species.

    Images are paths. Audio is float32 [10, D], a window of YAMNet patches; D is 5120 with a
    `Yamnet` and 1024 with a hub model.
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
    yamnet_model: Yamnet | HubModel,
    num_triplets_per_class: int = 100,
    resampler: str = "soxr",
) -> list[Triplet]:
    """Draw triplets from the species that have two photographs and two recordings.

    Anchor and positive are different photographs, and different recordings if the species has
    them. The recording of the negative is among those of other species whose mean embedding has
    the highest cosine similarity to the anchor's. The draw is seeded.

    Args:
        image_dir: Photographs, one folder per species.
        audio_dir: Recordings, one folder per species.
        yamnet_model: A `birdfield.model.yamnet.Yamnet`, or a callable with the interface of
            google/yamnet/1: waveform -> (scores, embeddings, log-mel).
        num_triplets_per_class: Triplets of each species.
        resampler: "soxr" or "resampy".

    Returns:
        The triplets, species by species.

    Raises:
        UsageError: When the resampler is unknown.
        InputError: When a file cannot be read, or fewer than two species have enough files.
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


def _embedder(model: Yamnet | HubModel) -> Embed:
    if isinstance(model, Yamnet):
        return model.embed
    return lambda waveform: np.asarray(model(waveform)[1], np.float32)


def _read(path: Path, resampler: str) -> Waveform:
    if resampler == "soxr":
        return read_audio(path, YAMNET.rate_hz)
    import resampy

    rate_hz = sample_rate(path)
    mono = read_audio(path, rate_hz)
    if rate_hz == YAMNET.rate_hz:
        return mono
    # The default filter attenuates sound above 7.3 kHz, which YAMNet reads: on real recordings,
    # embeddings have a cosine to soxr's down to 0.9955. With this filter it is 1.0000.
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
            anchor_image, positive_image = rng.choice(len(images[label]), 2, replace=False)
            negative_images = images[audio[negative].label]
            triplets.append(
                Triplet(
                    images[label][anchor_image].path,
                    _window(sequences[anchor], rng),
                    images[label][positive_image].path,
                    _window(sequences[positive], rng),
                    negative_images[int(rng.integers(len(negative_images)))].path,
                    _window(sequences[negative], rng),
                )
            )
    return triplets


def _positives(audio: Sequence[Sample], own: NDArray[np.intp], anchor: int) -> list[int]:
    """Return the clips of the species' other recordings, or of its only one."""
    others = [int(row) for row in own if audio[row].recording != audio[anchor].recording]
    return others or [int(row) for row in own if row != anchor]


def _hard_negatives(cosine: NDArray[np.float32], others: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the rows among others with the highest cosine to the anchor."""
    rows = np.flatnonzero(others)
    count = max(1, round(HARD_SHARE * len(rows)))
    return rows[np.argsort(-cosine[rows], kind="stable")[:count]]


def _window(sequence: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Cut a window of patches out of a recording, at a random place."""
    start = int(rng.integers(max(1, len(sequence) - YAMNET.patches_per_window + 1)))
    return repeat_patches(
        sequence[start : start + YAMNET.patches_per_window], YAMNET.patches_per_window
    )
