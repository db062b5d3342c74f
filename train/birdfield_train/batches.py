"""Batches: K samples of each of P species, some of them with one sense left out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birdfield.signals.windows import AudioSpec, repeat_patches
from birdfield_train.features import Feature
from birdfield_train.samples import Split

# Presence of image and audio in a sample: both, image only, audio only.
PRESENCES = np.array([[1, 1], [1, 0], [0, 1]], np.float32)
BOTH_SHARE = 0.5  # of the samples of a species with both senses; the rest have one or the other
RECORDING_STEP = 1_000_000  # more than the recordings of a species


@dataclass(frozen=True)
class Batch:
    """B samples.

    Attributes:
        pooled: float32 [B, 2 C]; zeros where there is no photograph.
        sequences: float32 [B, frames, dim]; zeros where there is no recording.
        presence: float32 [B, 2], 1 or 0: image, audio.
        labels: int64 [B], species.
        recordings: int64 [B], equal for clips of one recording.
    """

    pooled: NDArray[np.float32]
    sequences: NDArray[np.float32]
    presence: NDArray[np.float32]
    labels: NDArray[np.int64]
    recordings: NDArray[np.int64]


class BatchMaker:
    """Draws batches from a split; a draw depends on the random generator only."""

    def __init__(
        self,
        split: Split,
        species_per_batch: int,
        samples_per_species: int,
        channels: int,
        audio: AudioSpec,
    ) -> None:
        """Index the samples of a split by species and recording.

        Args:
            split: The samples.
            species_per_batch: P; fewer when the split has fewer species.
            samples_per_species: K.
            channels: Channels of the base's last maps.
            audio: Spec of the frontend.
        """
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
        """Draw a batch of P x K samples, of different recordings as far as there are any."""
        parts = [
            self._draw_species(int(place), rng)
            for place in rng.choice(len(self._species), self._per_batch, replace=False)
        ]
        return Batch(
            np.concatenate([part.pooled for part in parts]),
            np.concatenate([part.sequences for part in parts]),
            np.concatenate([part.presence for part in parts]),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.recordings for part in parts]),
        )

    def _draw_species(self, place: int, rng: np.random.Generator) -> Batch:
        count = self._samples
        pooled = np.zeros((count, self._width), np.float32)
        sequences = np.zeros((count, self._frames, self._dim), np.float32)
        presence = self._presence(place, rng)
        recordings = np.zeros(count, np.int64)
        image_choice = _spread(len(self._image_rows[place]), count, rng)
        audio_choice = _spread(len(self._audio_rows[place]), count, rng)
        for row in range(count):
            if presence[row, 0]:
                chosen = self._image_rows[place][image_choice[row]]
                pooled[row] = self._split.images[chosen].load()
                # A photograph counts as a recording of its own, apart from those of sounds.
                recordings[row] = -1 - chosen
            if presence[row, 1]:
                clips = self._audio_rows[place][audio_choice[row]]
                feature = self._split.audio[int(rng.choice(clips))]
                sequences[row] = random_window(feature.load_version(rng), self._frames, rng)
                recordings[row] = audio_choice[row]
        labels = np.full(count, self._species[place], np.int64)
        # Recordings are numbered within a species: the step makes them unique in the batch.
        return Batch(pooled, sequences, presence, labels, recordings + RECORDING_STEP * place)

    def _presence(self, place: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw the senses of a species' samples, float32 [K, 2]."""
        has_image = len(self._image_rows[place]) > 0
        has_audio = len(self._audio_rows[place]) > 0
        if not (has_image and has_audio):
            return np.tile(np.array([has_image, has_audio], np.float32), (self._samples, 1))
        single = (1 - BOTH_SHARE) / 2
        return PRESENCES[rng.choice(3, self._samples, p=[BOTH_SHARE, single, single])]


def _by_recording(audio: Sequence[Feature], rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Group rows of clips by their recording."""
    groups: dict[str, list[int]] = {}
    for row in rows:
        groups.setdefault(audio[row].sample.recording, []).append(int(row))
    return [np.array(group) for group in groups.values()]


def _spread(available: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Choose count of the available numbers, each about equally often."""
    if not available:
        return np.zeros(count, np.int64)
    rounds = [rng.permutation(available) for _ in range(-(-count // available))]
    return np.concatenate(rounds)[:count]


def random_window(
    frames: NDArray[np.float32], count: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Cut count consecutive patches [count, D] out of [T, D], at a random place."""
    start = int(rng.integers(max(1, len(frames) - count + 1)))
    return repeat_patches(frames[start : start + count], count)
