"""Balanced batches: P species of K samples each, with senses dropped on both sides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from birdfield.signals.windows import AudioSpec, repeat_patches
from birdfield_train.features import Feature
from birdfield_train.heads import Split

KINDS = np.array([[1, 1], [1, 0], [0, 1]], np.float32)  # presence: both, image only, audio only
BOTH_SHARE = 0.5  # of the samples of a species with both senses; the rest is one or the other


@dataclass(frozen=True)
class Batch:
    """B samples.

    Attributes:
        pooled: float32 [B, 2 C]; zeros where there is no photograph.
        sequences: float32 [B, frames, dim]; zeros where there is no recording.
        presence: float32 [B, 2], 1 or 0: image, audio.
        labels: int64 [B].
        recordings: int64 [B], equal for clips of one recording of a species.
    """

    pooled: NDArray[np.float32]
    sequences: NDArray[np.float32]
    presence: NDArray[np.float32]
    labels: NDArray[np.int64]
    recordings: NDArray[np.int64]


class BatchMaker:
    """Draws batches from a split; each draw depends on the generator alone."""

    def __init__(
        self,
        split: Split,
        species_per_batch: int,
        samples_per_species: int,
        channels: int,
        audio: AudioSpec,
    ) -> None:
        """Index a split's samples by species and recording."""
        self._split = split
        self._species = np.union1d(split.image_labels, split.audio_labels)
        self._per_batch = min(species_per_batch, len(self._species))
        self._samples = samples_per_species
        self._width = 2 * channels
        self._frames, self._dim = audio.patches_per_window, audio.dim
        self._image_rows = [np.flatnonzero(split.image_labels == label) for label in self._species]
        self._audio_rows = [
            _by_recording(split.audio, np.flatnonzero(split.audio_labels == label))
            for label in self._species
        ]

    def draw(self, rng: np.random.Generator) -> Batch:
        """Draw one batch of P x K samples, of different recordings as far as there are any."""
        rows = [
            self._draw_species(int(place), rng)
            for place in rng.choice(len(self._species), self._per_batch, replace=False)
        ]
        return Batch(*(np.concatenate(column) for column in zip(*rows, strict=True)))

    def _draw_species(self, place: int, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        count = self._samples
        pooled = np.zeros((count, self._width), np.float32)
        sequences = np.zeros((count, self._frames, self._dim), np.float32)
        presence = self._presence(place, rng)
        recordings = np.zeros(count, np.int64)
        images = _spread(len(self._image_rows[place]), count, rng)
        heard = _spread(len(self._audio_rows[place]), count, rng)
        for row in range(count):
            if presence[row, 0]:
                chosen = self._image_rows[place][images[row]]
                pooled[row] = self._split.images[chosen].load()
                # A photograph is its own recording, apart from every sound's.
                recordings[row] = -1 - chosen
            if presence[row, 1]:
                clips = self._audio_rows[place][heard[row]]
                feature = self._split.audio[int(rng.choice(clips))]
                sequences[row] = random_window(feature.load_version(rng), self._frames, rng)
                recordings[row] = heard[row]
        labels = np.full(count, self._species[place], np.int64)
        # Recordings are counted within a species: make them unique over the batch.
        return pooled, sequences, presence, labels, recordings + 1_000_000 * place

    def _presence(self, place: int, rng: np.random.Generator) -> NDArray[np.float32]:
        has_image = len(self._image_rows[place]) > 0
        has_audio = len(self._audio_rows[place]) > 0
        if not (has_image and has_audio):
            return np.tile(np.array([has_image, has_audio], np.float32), (self._samples, 1))
        single = (1 - BOTH_SHARE) / 2
        kinds = rng.choice(3, self._samples, p=[BOTH_SHARE, single, single])
        return KINDS[kinds]


def _by_recording(audio: Sequence[Feature], rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    groups: dict[str, list[int]] = {}
    for row in rows:
        groups.setdefault(audio[row].sample.recording, []).append(int(row))
    return [np.array(group) for group in groups.values()]


def _spread(available: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Choose count of the available, each about equally often."""
    if not available:
        return np.zeros(count, np.int64)
    rounds = [rng.permutation(available) for _ in range(-(-count // available))]
    return np.concatenate(rounds)[:count]


def random_window(
    frames: NDArray[np.float32], count: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Take so many consecutive patches [count, D] of [T, D], from a random one on."""
    start = int(rng.integers(max(1, len(frames) - count + 1)))
    return repeat_patches(frames[start : start + count], count)
