"""The trainable part on top of cached features: projections, BiLSTM, fusion."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from birdfield.model.encoder import DIM, Vectors, pool, unit
from birdfield.model.sense import Sense
from birdfield.signals.windows import AudioSpec, repeat_patches, window_starts
from birdfield_train.features import Feature
from birdfield_train.fusion_weights import FusionWeights
from birdfield_train.projection import alignment, discriminant, mean_directions
from birdfield_train.towers import (
    BLOCK,
    audio_tower,
    fusion_tower,
    image_head,
    set_blocks,
    set_projection,
)

SHRINKAGE = 0.7
# Of a channel's peak beside its mean, before the discriminant: docs/decisions/0011 and 0013.
IMAGE_PEAK_WEIGHT, AUDIO_PEAK_WEIGHT = 0.3, 2.0
CHUNK = 512  # pictures embedded at a time
RECORDINGS = 32  # embedded at a time, with all their windows


@dataclass(frozen=True)
class Split:
    """The training samples of one fit; a species may be in one sense only.

    Attributes:
        images: Cached photographs.
        audio: Cached recordings.
        image_labels: int64 [N], species.
        audio_labels: int64 [M], species.
        species: Number of species.
    """

    images: Sequence[Feature]
    audio: Sequence[Feature]
    image_labels: NDArray[np.int64]
    audio_labels: NDArray[np.int64]
    species: int


class Heads:
    """The image head, the audio tower and the fusion, with one optimiser's set of weights."""

    def __init__(self, channels: int, audio: AudioSpec, gain: float = 0.3) -> None:
        """Make them for a base of so many channels and a frontend, with fresh weights."""
        self._frames, self._evidence = audio.patches_per_window, audio.class_dim
        self.image = image_head(channels)
        self.audio = audio_tower(audio.patches_per_window, audio.dim, evidence=audio.class_dim)
        self.fusion = fusion_tower(gain)

    @property
    def models(self) -> tuple[keras.Model, keras.Model, keras.Model]:
        """The three models, in the order in which their weights are saved."""
        return self.image, self.audio, self.fusion

    @property
    def trainable(self) -> list[tf.Variable]:
        """All trainable weights, the image head's first."""
        return [weight for model in self.models for weight in model.trainable_variables]

    def get_weights(self) -> list[NDArray[np.float32]]:
        """Return all weights, also those that are not trained."""
        return [weight for model in self.models for weight in model.get_weights()]

    def set_weights(self, weights: Sequence[NDArray[np.float32]]) -> None:
        """Set all weights, in the order of `get_weights`."""
        start = 0
        for model in self.models:
            count = len(model.weights)
            model.set_weights(list(weights[start : start + count]))
            start += count

    def set_gain(self, gain: float) -> None:
        """Set what hearing counts beside sight."""
        self.fusion.get_layer("sense_fusion").gain.assign(gain)

    def __call__(self, pooled: tf.Tensor, sequences: tf.Tensor, presence: tf.Tensor) -> tf.Tensor:
        """Embed pooled [B, 2 C], sequences [B, T, dim] and presence [B, 2] to unit [B, 128]."""
        mean, peak = tf.split(pooled, 2, axis=1)
        image = tf.math.l2_normalize(self.image([mean, peak], training=True), axis=1)
        audio = tf.math.l2_normalize(self.audio(sequences, training=True), axis=1)
        return tf.math.l2_normalize(self.fusion([image, audio, presence], training=True), axis=1)

    def start(self, split: Split) -> None:
        """Set the projections by discriminant analysis, the senses aligned with each other.

        A sense that fewer than two species have keeps its random projection.
        """
        by_sight = None
        if len(np.unique(split.image_labels)) > 1:
            views = [feature.load_pooled() for feature in split.images]
            kernel, bias = weighted_discriminant(
                np.concatenate(views),
                np.repeat(split.image_labels, [len(some) for some in views]),
                IMAGE_PEAK_WEIGHT,
            )
            set_projection(self.image, Sense.IMAGE, kernel, bias)
            by_sight = unit(np.stack([some[0] for some in views]) @ kernel + bias)
        if len(np.unique(split.audio_labels)) > 1:
            summaries, rows = _summaries(split.audio, self._frames)
            labels = split.audio_labels[rows]

            def rotation(by_sound: Vectors) -> NDArray[np.float32]:
                if by_sight is None:
                    return np.eye(DIM, dtype=np.float32)
                return _align(by_sound, labels, by_sight, split.image_labels)

            if self._evidence:
                self._start_blocks(summaries, labels, rotation)
            else:
                kernel, bias = weighted_discriminant(summaries, labels, AUDIO_PEAK_WEIGHT)
                turned = rotation(unit(summaries @ kernel + bias))
                set_projection(self.audio, Sense.AUDIO, kernel @ turned, bias @ turned)

    def _start_blocks(
        self,
        summaries: NDArray[np.float32],
        labels: NDArray[np.int64],
        rotation: Callable[[Vectors], NDArray[np.float32]],
    ) -> None:
        """Start the projections of an embedding and of its classes' evidence.

        Turned, they are as long as the embedding's projection was: beside the LSTM's part, and
        against the learning rate, they weigh what a projection in one block does.
        """
        mean, peak = np.split(summaries, 2, axis=1)
        size = mean.shape[1] - self._evidence
        pooled, told = np.concatenate([mean[:, :size], peak[:, :size]], axis=1), mean[:, size:]
        kernel, bias = weighted_discriminant(pooled, labels, AUDIO_PEAK_WEIGHT, BLOCK)
        directions = mean_directions(told, labels, BLOCK)
        embedded = pooled @ kernel + bias
        blocks = np.concatenate([unit(embedded), unit(told @ directions)], axis=1)
        length = np.linalg.norm(embedded, axis=1).mean() / np.sqrt(2)
        set_projection(self.audio, Sense.AUDIO, kernel, bias)
        set_blocks(self.audio, directions, length * rotation(unit(blocks)))

    def embed_images(self, images: Sequence[Feature]) -> Vectors:
        """Embed photographs by the image tower; returns unit [N, 128]."""
        pieces = [np.zeros((0, DIM), np.float32)]
        for start in range(0, len(images), CHUNK):
            pooled = np.stack([feature.load() for feature in images[start : start + CHUNK]])
            half = pooled.shape[1] // 2
            pieces.append(self.image.predict_on_batch([pooled[:, :half], pooled[:, half:]]))
        return unit(np.concatenate(pieces))

    def embed_audio(self, audio: Sequence[Feature]) -> Vectors:
        """Embed recordings by the audio tower, all windows of each pooled; unit [N, 128]."""
        vectors: list[Vectors] = []
        for start in range(0, len(audio), RECORDINGS):
            windows = [
                _windows(feature.load(), self._frames)
                for feature in audio[start : start + RECORDINGS]
            ]
            ends = np.cumsum([len(some) for some in windows])
            embedded = unit(self.audio.predict_on_batch(np.concatenate(windows)))
            vectors += [pool(list(own)) for own in np.split(embedded, ends[:-1])]
        return np.array(vectors, np.float32).reshape(len(audio), DIM)

    def fusion_weights(self) -> FusionWeights:
        """Copy the fusion's weights out of the model."""
        layer = self.fusion.get_layer("sense_fusion")
        return FusionWeights(
            *(
                weight.numpy()
                for weight in (
                    layer.image_kernel,
                    layer.audio_kernel,
                    layer.image_token,
                    layer.audio_token,
                    layer.gain,
                )
            )
        )


def weighted_discriminant(
    pooled: NDArray[np.float32],
    labels: NDArray[np.int64],
    peak_weight: float,
    dim: int = DIM,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Find where a projection starts: kernel [2 C, dim] and bias [dim] for pooled [N, 2 C].

    Of photographs the peaks are on a larger scale than the means, and noisier; of sound they are
    what a short call leaves.
    """
    weights = np.repeat(np.array([1.0, peak_weight], np.float32), pooled.shape[1] // 2)
    kernel, bias = discriminant(pooled * weights, labels, dim, SHRINKAGE)
    return kernel * weights[:, None], bias


def _align(
    by_sound: Vectors,
    sound_labels: NDArray[np.int64],
    by_sight: Vectors,
    sight_labels: NDArray[np.int64],
) -> NDArray[np.float32]:
    shared = np.intersect1d(sound_labels, sight_labels)
    heard = [unit(by_sound[sound_labels == label].mean(axis=0)) for label in shared]
    seen = [unit(by_sight[sight_labels == label].mean(axis=0)) for label in shared]
    if not len(shared):
        return np.eye(DIM, dtype=np.float32)
    return alignment(np.stack(heard), np.stack(seen))


def _windows(frames: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Cut a recording [T, dim] into windows of so many patches, float32 [W, count, dim]."""
    return np.stack(
        [
            repeat_patches(frames[start : start + count], count)
            for start in window_starts(len(frames), count)
        ]
    )


def _summaries(
    audio: Sequence[Feature], count: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Pool each window of each version over time, float32 [W, 2 dim]; also its recording's row."""
    summaries, rows = [], []
    for row, feature in enumerate(audio):
        windows = np.concatenate([_windows(frames, count) for frames in feature.load_versions()])
        summaries.append(np.concatenate([windows.mean(axis=1), windows.max(axis=1)], axis=1))
        rows += [row] * len(windows)
    return np.concatenate(summaries), np.array(rows, np.int64)
