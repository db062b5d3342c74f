"""Heads: the part of the encoder that is trained on cached features."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from birdfield.model.encoder import DIM, Vectors, pool, unit
from birdfield.model.sense import Sense
from birdfield.signals.windows import AudioSpec, repeat_patches, window_starts
from birdfield_train.factory import LabelledVectors
from birdfield_train.features import Feature
from birdfield_train.fusion_weights import FusionWeights
from birdfield_train.projection import alignment, discriminant, mean_directions
from birdfield_train.samples import Split
from birdfield_train.towers import (
    BLOCK,
    audio_tower,
    fusion_tower,
    image_head,
    set_blocks,
    set_projection,
)

SHRINKAGE = 0.7
# Weight of a channel's peak beside its mean in the discriminant: docs/decisions/0011 and 0013.
IMAGE_PEAK_WEIGHT, AUDIO_PEAK_WEIGHT = 0.3, 2.0
IMAGE_CHUNK = 512  # photographs embedded at once
AUDIO_CHUNK = 32  # recordings embedded at once, each with all its windows


class Heads:
    """The image head, the audio tower and the fusion."""

    def __init__(self, channels: int, audio: AudioSpec, gain: float = 0.3) -> None:
        """Build them with fresh weights.

        Args:
            channels: Channels of the base's last maps.
            audio: Spec of the frontend.
            gain: Weight of sound in the fusion.
        """
        self._frames, self._class_dim = audio.patches_per_window, audio.class_dim
        self.image = image_head(channels)
        self.audio = audio_tower(audio.patches_per_window, audio.dim, class_dim=audio.class_dim)
        self.fusion = fusion_tower(gain)

    @property
    def models(self) -> tuple[keras.Model, keras.Model, keras.Model]:
        """The three models, in the order in which their weights are saved."""
        return self.image, self.audio, self.fusion

    @property
    def trainable(self) -> list[tf.Variable]:
        """All trainable weights; those of the image head come first."""
        return [weight for model in self.models for weight in model.trainable_variables]

    def get_weights(self) -> list[NDArray[np.float32]]:
        """Return all weights, including those that are not trained."""
        return [weight for model in self.models for weight in model.get_weights()]

    def set_weights(self, weights: Sequence[NDArray[np.float32]]) -> None:
        """Set all weights, in the order of `get_weights`."""
        start = 0
        for model in self.models:
            count = len(model.weights)
            model.set_weights(list(weights[start : start + count]))
            start += count

    def set_gain(self, gain: float) -> None:
        """Set the weight of sound in the fusion."""
        self.fusion.get_layer("sense_fusion").gain.assign(gain)

    def __call__(self, pooled: tf.Tensor, sequences: tf.Tensor, presence: tf.Tensor) -> tf.Tensor:
        """Embed pooled [B, 2 C], sequences [B, T, dim] and presence [B, 2] to unit [B, 128]."""
        mean, peak = tf.split(pooled, 2, axis=1)
        image = tf.math.l2_normalize(self.image([mean, peak], training=True), axis=1)
        audio = tf.math.l2_normalize(self.audio(sequences, training=True), axis=1)
        return tf.math.l2_normalize(self.fusion([image, audio, presence], training=True), axis=1)

    def start(self, split: Split) -> None:
        """Set the projections by discriminant analysis, and align sound with images.

        A sense with fewer than two species keeps its random projection.
        """
        by_image = self._start_image(split) if len(np.unique(split.image_labels)) > 1 else None
        if len(np.unique(split.audio_labels)) < 2:
            return
        summaries, rows = _summaries(split.audio, self._frames)
        labels = split.audio_labels[rows]

        def rotation(by_sound: Vectors) -> NDArray[np.float32]:
            if by_image is None:
                return np.eye(DIM, dtype=np.float32)
            return _align(
                LabelledVectors(by_sound, labels), LabelledVectors(by_image, split.image_labels)
            )

        if self._class_dim:
            self._start_blocks(summaries, labels, rotation)
        else:
            kernel, bias = weighted_discriminant(summaries, labels, AUDIO_PEAK_WEIGHT)
            turned = rotation(unit(summaries @ kernel + bias))
            set_projection(self.audio, Sense.AUDIO, kernel @ turned, bias @ turned)

    def _start_image(self, split: Split) -> Vectors:
        """Set the projection of the image head; return the plain views by it."""
        views = [feature.load_pooled() for feature in split.images]
        kernel, bias = weighted_discriminant(
            np.concatenate(views),
            np.repeat(split.image_labels, [len(own) for own in views]),
            IMAGE_PEAK_WEIGHT,
        )
        set_projection(self.image, Sense.IMAGE, kernel, bias)
        return unit(np.stack([own[0] for own in views]) @ kernel + bias)

    def _start_blocks(
        self,
        summaries: NDArray[np.float32],
        labels: NDArray[np.int64],
        rotation: Callable[[Vectors], NDArray[np.float32]],
    ) -> None:
        """Set the projections of an embedding and of its class projection.

        The rotated blocks have the length of the embedding's projection, so that they have the
        weight of a projection in one block, beside the LSTM and against the learning rate.
        """
        mean, peak = np.split(summaries, 2, axis=1)
        size = mean.shape[1] - self._class_dim
        pooled = np.concatenate([mean[:, :size], peak[:, :size]], axis=1)
        classes = mean[:, size:]
        kernel, bias = weighted_discriminant(pooled, labels, AUDIO_PEAK_WEIGHT, BLOCK)
        directions = mean_directions(classes, labels, BLOCK)
        embedded = pooled @ kernel + bias
        blocks = np.concatenate([unit(embedded), unit(classes @ directions)], axis=1)
        length = np.linalg.norm(embedded, axis=1).mean() / np.sqrt(2)
        set_projection(self.audio, Sense.AUDIO, kernel, bias)
        set_blocks(self.audio, directions, length * rotation(unit(blocks)))

    def embed_images(self, images: Sequence[Feature]) -> Vectors:
        """Embed N photographs with the image head; return unit [N, 128]."""
        pieces = [np.zeros((0, DIM), np.float32)]
        for start in range(0, len(images), IMAGE_CHUNK):
            pooled = np.stack([feature.load() for feature in images[start : start + IMAGE_CHUNK]])
            half = pooled.shape[1] // 2
            pieces.append(self.image.predict_on_batch([pooled[:, :half], pooled[:, half:]]))
        return unit(np.concatenate(pieces))

    def embed_audio(self, audio: Sequence[Feature]) -> Vectors:
        """Embed N recordings with the audio tower, as means of their windows; unit [N, 128]."""
        vectors: list[Vectors] = []
        for start in range(0, len(audio), AUDIO_CHUNK):
            windows = [
                _windows(feature.load(), self._frames)
                for feature in audio[start : start + AUDIO_CHUNK]
            ]
            ends = np.cumsum([len(own) for own in windows])
            embedded = unit(self.audio.predict_on_batch(np.concatenate(windows)))
            vectors += [pool(list(own)) for own in np.split(embedded, ends[:-1])]
        return np.array(vectors, np.float32).reshape(len(audio), DIM)

    def embed_split(self, split: Split) -> tuple[LabelledVectors, LabelledVectors]:
        """Embed the photographs and the recordings of a split."""
        return (
            LabelledVectors(self.embed_images(split.images), split.image_labels),
            LabelledVectors(self.embed_audio(split.audio), split.audio_labels),
        )

    def fusion_weights(self) -> FusionWeights:
        """Return a copy of the fusion's weights."""
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
    """Compute the initial projection of pooled features.

    The peaks of photographs are larger than the means, and noisier; the peaks of a sound are what
    remains of a short call.

    Args:
        pooled: float32 [N, 2 C], means and then peaks.
        labels: int64 [N], species.
        peak_weight: Weight of the peaks; the means have 1.
        dim: Directions.

    Returns:
        Kernel float32 [2 C, dim] and bias float32 [dim].
    """
    weights = np.repeat(np.array([1.0, peak_weight], np.float32), pooled.shape[1] // 2)
    kernel, bias = discriminant(pooled * weights, labels, dim, SHRINKAGE)
    return kernel * weights[:, None], bias


def _align(sound: LabelledVectors, images: LabelledVectors) -> NDArray[np.float32]:
    """Compute the rotation that moves the species' means by sound to those by image."""
    shared = np.intersect1d(sound.labels, images.labels)
    if not len(shared):
        return np.eye(DIM, dtype=np.float32)
    by_sound, by_image = (
        np.stack([unit(found.vectors[found.labels == label].mean(axis=0)) for label in shared])
        for found in (sound, images)
    )
    return alignment(by_sound, by_image)


def _windows(frames: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Cut a recording [T, dim] into windows of count patches, float32 [W, count, dim]."""
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
