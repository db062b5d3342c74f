"""The two towers and the fusion, as Keras models: each is exported by itself."""

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from birdfield.model.encoder import DIM

LSTM_UNITS = 64
FRAME_UNITS = 128  # what the BiLSTM reads of each patch's embedding
BLOCK = DIM // 2  # of the embedding, and of its classes' evidence


def pool_features(maps: tf.Tensor) -> list[tf.Tensor]:
    """Pool maps [B, H, W, C] to the mean and the peak of each channel, [B, C] each."""
    return [
        keras.layers.GlobalAveragePooling2D(name="mean_pool")(maps),
        keras.layers.GlobalMaxPooling2D(name="peak_pool")(maps),
    ]


def image_head(channels: int) -> keras.Model:
    """Make the projection of pooled convolutional features: 2 x [B, channels] -> [B, 128]."""
    mean = keras.Input((channels,), name="mean")
    peak = keras.Input((channels,), name="peak")
    return keras.Model([mean, peak], _project(mean, peak, "image"), name="image_head")


def _project(mean: tf.Tensor, peak: tf.Tensor, sense: str, units: int = DIM) -> tf.Tensor:
    """Project two poolings and add: each keeps its own range when it is quantised."""
    return keras.layers.Add(name=f"{sense}_summary")(
        [
            keras.layers.Dense(units, name=f"{sense}_mean_projection")(mean),
            keras.layers.Dense(units, use_bias=False, name=f"{sense}_peak_projection")(peak),
        ]
    )


class Unit(keras.layers.Layer):
    """Scales [B, D] to length 1, zeros to zeros; becomes one operator of TFLite."""

    def call(self, vectors: tf.Tensor) -> tf.Tensor:
        """Scale each row."""
        return tf.math.l2_normalize(vectors, axis=1)


def _two_blocks(mean: tf.Tensor, peak: tf.Tensor, evidence: int) -> tf.Tensor:
    """Project a frontend's poolings to an embedding's unit vector and its classes' beside it.

    The cosine of two sounds is then the mean of the two blocks' cosines, whatever their scales
    (docs/decisions/0019-class-evidence.md). The last layer turns them to where sight has them.
    """
    size = mean.shape[1] - evidence
    embedded = _project(mean[:, :size], peak[:, :size], "audio", BLOCK)
    told = keras.layers.Dense(BLOCK, use_bias=False, name="evidence_projection")(mean[:, size:])
    joined = keras.layers.Concatenate(name="audio_blocks")(
        [Unit(name="audio_unit")(embedded), Unit(name="evidence_unit")(told)]
    )
    return keras.layers.Dense(DIM, use_bias=False, name="audio_rotation")(joined)


def audio_tower(
    frames: int | None,
    dim: int,
    batch_size: int | None = None,
    unroll: bool = False,
    evidence: int = 0,
) -> keras.Model:
    """Make the audio tower: a frontend's embeddings [B, T, dim] -> [B, 128].

    A bidirectional LSTM reads the order of the patches; beside it, a linear projection reads
    their mean and peak, which is where training starts. The LSTM's part starts at zero.

    Args:
        frames: T; None for any length.
        dim: Of the frontend.
        batch_size: Fixed for export; None while training.
        unroll: Whether the LSTM is unrolled, as full-integer conversion needs.
        evidence: Of the frontend; without any, mean and peak are projected as one block.
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
    summary = _two_blocks(mean, peak, evidence) if evidence else _project(mean, peak, "audio")
    return keras.Model(
        sequence, keras.layers.Add(name="audio_embedding")([summary, ordered]), name="audio_tower"
    )


class SenseFusion(keras.layers.Layer):
    """Adds the senses' unit vectors in one space; a learned token stands for an absent one.

    `image A + gain * audio B`, where A and B start as the identity: the joint embedding starts
    as late fusion of its own towers. The gain, what hearing counts beside sight, is not learnt on
    training data, which both towers know by heart, but chosen out of fold.
    """

    def __init__(self, gain: float = 0.3, **kwargs: object) -> None:
        """Start with a gain >= 0."""
        super().__init__(**kwargs)
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
        seen, heard = presence[:, :1], presence[:, 1:]
        sight = seen * tf.matmul(image, self.image_kernel) + (1.0 - seen) * self.image_token
        sound = heard * tf.matmul(audio, self.audio_kernel) + (1.0 - heard) * self.audio_token
        return sight + self.gain * sound


def fusion_tower(gain: float = 0.3, batch_size: int | None = None) -> keras.Model:
    """Make the fusion: image [B, 128], audio [B, 128], presence [B, 2] -> [B, 128]."""
    image = keras.Input((DIM,), batch_size=batch_size, name="image")
    audio = keras.Input((DIM,), batch_size=batch_size, name="audio")
    presence = keras.Input((2,), batch_size=batch_size, name="presence")
    fused = SenseFusion(gain, name="sense_fusion")(image, audio, presence)
    return keras.Model([image, audio, presence], fused, name="fusion_tower")


def set_projection(
    model: keras.Model, sense: str, kernel: NDArray[np.float32], bias: NDArray[np.float32]
) -> None:
    """Start the projection of a sense's mean and peak, one above the other as [2 C, D]."""
    half = len(kernel) // 2
    model.get_layer(f"{sense}_mean_projection").set_weights([kernel[:half], bias])
    model.get_layer(f"{sense}_peak_projection").set_weights([kernel[half:]])


def set_blocks(
    model: keras.Model, directions: NDArray[np.float32], rotation: NDArray[np.float32]
) -> None:
    """Start the projection of the evidence, [E, BLOCK], and what turns both blocks, [128, 128]."""
    model.get_layer("evidence_projection").set_weights([directions])
    model.get_layer("audio_rotation").set_weights([rotation])
