"""Towers: the image head, the audio tower and the fusion as Keras models."""

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from birdfield.model.encoder import DIM
from birdfield.model.sense import Sense

LSTM_UNITS = 64
FRAME_UNITS = 128  # numbers of each patch that the BiLSTM reads
BLOCK = DIM // 2  # numbers of the embedding, and of its class projection, in the audio vector


def pool_features(maps: tf.Tensor) -> list[tf.Tensor]:
    """Pool maps [B, H, W, C] to the mean and the peak of each channel, [B, C] each."""
    return [
        keras.layers.GlobalAveragePooling2D(name="mean_pool")(maps),
        keras.layers.GlobalMaxPooling2D(name="peak_pool")(maps),
    ]


def image_head(channels: int) -> keras.Model:
    """Build the projection of pooled maps: mean and peak [B, channels] each -> [B, 128]."""
    mean = keras.Input((channels,), name="mean")
    peak = keras.Input((channels,), name="peak")
    return keras.Model([mean, peak], _project(mean, peak, Sense.IMAGE), name="image_head")


def _project(mean: tf.Tensor, peak: tf.Tensor, sense: Sense, units: int = DIM) -> tf.Tensor:
    """Project two poolings and add them; each keeps its own range when it is quantised."""
    return keras.layers.Add(name=f"{sense}_summary")(
        [
            keras.layers.Dense(units, name=f"{sense}_mean_projection")(mean),
            keras.layers.Dense(units, use_bias=False, name=f"{sense}_peak_projection")(peak),
        ]
    )


class Unit(keras.layers.Layer):
    """A layer that scales rows [B, D] to length 1, and keeps rows of zeros; one TFLite operator."""

    def call(self, vectors: tf.Tensor) -> tf.Tensor:
        """Scale each row of vectors [B, D]."""
        return tf.math.l2_normalize(vectors, axis=1)


def _two_blocks(mean: tf.Tensor, peak: tf.Tensor, class_dim: int) -> tf.Tensor:
    """Project poolings to two unit vectors: of the embedding, and of its class projection.

    The cosine of two sounds is then the mean of the cosines of both blocks, whatever their scales
    (docs/decisions/0019-class-evidence.md). The last layer aligns the blocks with the images.
    """
    size = mean.shape[1] - class_dim
    embedded = _project(mean[:, :size], peak[:, :size], Sense.AUDIO, BLOCK)
    classes = keras.layers.Dense(BLOCK, use_bias=False, name="class_projection")(mean[:, size:])
    joined = keras.layers.Concatenate(name="audio_blocks")(
        [Unit(name="audio_unit")(embedded), Unit(name="class_unit")(classes)]
    )
    return keras.layers.Dense(DIM, use_bias=False, name="audio_rotation")(joined)


def audio_tower(
    frames: int | None,
    dim: int,
    batch_size: int | None = None,
    unroll: bool = False,
    class_dim: int = 0,
) -> keras.Model:
    """Build the audio tower: a frontend's embeddings [B, T, dim] -> [B, 128].

    A bidirectional LSTM reads the order of the patches, and a linear projection reads their mean
    and peak. Training starts with the projection alone, because the LSTM's part starts at zero.

    Args:
        frames: Patches, T; None for any number.
        dim: Numbers in the embedding of a patch.
        batch_size: Fixed for export; None for training.
        unroll: Whether the LSTM is unrolled, as full-integer conversion requires.
        class_dim: The last numbers of `dim`, which are a projection of class scores; with 0, mean
            and peak are projected as one block.
    """
    sequence = keras.Input((frames, dim), batch_size=batch_size, name="audio")
    narrow = keras.layers.Dense(FRAME_UNITS, activation="relu", name="frame_projection")(sequence)
    states = keras.layers.Bidirectional(
        keras.layers.LSTM(LSTM_UNITS, return_sequences=True, unroll=unroll), name="bilstm"
    )(narrow)
    order = keras.layers.GlobalAveragePooling1D(name="order_pool")(states)
    ordered = keras.layers.Dense(
        DIM, use_bias=False, kernel_initializer="zeros", name="order_projection"
    )(order)
    mean = keras.layers.GlobalAveragePooling1D(name="mean_over_time")(sequence)
    peak = keras.layers.GlobalMaxPooling1D(name="peak_over_time")(sequence)
    summary = _two_blocks(mean, peak, class_dim) if class_dim else _project(mean, peak, Sense.AUDIO)
    return keras.Model(
        sequence, keras.layers.Add(name="audio_embedding")([summary, ordered]), name="audio_tower"
    )


class SenseFusion(keras.layers.Layer):
    """A layer that adds the senses' unit vectors; a learned token replaces an absent one.

    It computes `image A + gain * audio B`. A and B start as the identity, so that the joint
    embedding starts as late fusion of its own towers. The gain, the weight of sound, is not
    trained, because both towers fit the training data too well; cross-validation chooses it.
    """

    def __init__(self, gain: float = 0.3, name: str | None = None) -> None:
        """Start with a gain of 0 or more."""
        super().__init__(name=name)
        self._initial_gain = gain

    def build(self, input_shape: object) -> None:
        """Create the weights."""
        self.image_kernel = self.add_weight(
            shape=(DIM, DIM), initializer="identity", name="image_kernel"
        )
        self.audio_kernel = self.add_weight(
            shape=(DIM, DIM), initializer="identity", name="audio_kernel"
        )
        self.image_token = self.add_weight(shape=(DIM,), initializer="zeros", name="image_token")
        self.audio_token = self.add_weight(shape=(DIM,), initializer="zeros", name="audio_token")
        self.gain = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self._initial_gain),
            trainable=False,
            name="gain",
        )

    def call(self, image: tf.Tensor, audio: tf.Tensor, presence: tf.Tensor) -> tf.Tensor:
        """Fuse unit vectors [B, 128] and [B, 128] by presence [B, 2], 1 or 0, to [B, 128]."""
        has_image, has_audio = presence[:, :1], presence[:, 1:]
        by_image = (
            has_image * tf.matmul(image, self.image_kernel) + (1.0 - has_image) * self.image_token
        )
        by_audio = (
            has_audio * tf.matmul(audio, self.audio_kernel) + (1.0 - has_audio) * self.audio_token
        )
        return by_image + self.gain * by_audio


def fusion_tower(gain: float = 0.3, batch_size: int | None = None) -> keras.Model:
    """Build the fusion: image [B, 128], audio [B, 128], presence [B, 2] -> [B, 128]."""
    image = keras.Input((DIM,), batch_size=batch_size, name="image")
    audio = keras.Input((DIM,), batch_size=batch_size, name="audio")
    presence = keras.Input((2,), batch_size=batch_size, name="presence")
    fused = SenseFusion(gain, name="sense_fusion")(image, audio, presence)
    return keras.Model([image, audio, presence], fused, name="fusion_tower")


def set_projection(
    model: keras.Model, sense: Sense, kernel: NDArray[np.float32], bias: NDArray[np.float32]
) -> None:
    """Set the projection of a sense's mean and peak.

    Args:
        model: The image head or the audio tower.
        sense: The sense of the model.
        kernel: float32 [2 C, D], the mean's rows and then the peak's.
        bias: float32 [D].
    """
    half = len(kernel) // 2
    model.get_layer(f"{sense}_mean_projection").set_weights([kernel[:half], bias])
    model.get_layer(f"{sense}_peak_projection").set_weights([kernel[half:]])


def set_blocks(
    model: keras.Model, directions: NDArray[np.float32], rotation: NDArray[np.float32]
) -> None:
    """Set the class projection's directions and the rotation of both blocks.

    Args:
        model: An audio tower with a class projection.
        directions: float32 [class_dim, BLOCK].
        rotation: float32 [128, 128].
    """
    model.get_layer("class_projection").set_weights([directions])
    model.get_layer("audio_rotation").set_weights([rotation])
