"""The two towers and the fusion, as Keras models: each is exported by itself."""

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from birdfield.encoder import DIM

LSTM_UNITS = 64
FRAME_UNITS = 128  # what the BiLSTM reads of each patch's embedding


def pool_features(maps: tf.Tensor) -> list[tf.Tensor]:
    """Pool maps [B, H, W, C] to the mean and the peak of each channel, [B, C] each."""
    return [keras.layers.GlobalAveragePooling2D(name="mean_pool")(maps),
            keras.layers.GlobalMaxPooling2D(name="peak_pool")(maps)]


def image_head(channels: int) -> keras.Model:
    """Make the projection of pooled convolutional features: 2 x [B, channels] -> [B, 128]."""
    mean = keras.Input((channels,), name="mean")
    peak = keras.Input((channels,), name="peak")
    return keras.Model([mean, peak], _project(mean, peak, "image"), name="image_head")


def _project(mean: tf.Tensor, peak: tf.Tensor, sense: str) -> tf.Tensor:
    """Project two poolings and add: each keeps its own range when it is quantised."""
    return keras.layers.Add(name=f"{sense}_summary")([
        keras.layers.Dense(DIM, name=f"{sense}_mean_projection")(mean),
        keras.layers.Dense(DIM, use_bias=False, name=f"{sense}_peak_projection")(peak)])


def audio_tower(frames: int | None, dim: int, batch_size: int | None = None,
                unroll: bool = False) -> keras.Model:
    """Make the audio tower: a frontend's embeddings [B, T, dim] -> [B, 128].

    A bidirectional LSTM reads the order of the patches; beside it, a linear projection reads
    their mean and peak, which is where training starts. The LSTM's part starts at zero.

    Args:
        frames: T; None for any length.
        dim: Of the frontend.
        batch_size: Fixed for export; None while training.
        unroll: Whether the LSTM is unrolled, as full-integer conversion needs.
    """
    sequence = keras.Input((frames, dim), batch_size=batch_size, name="audio")
    narrow = keras.layers.Dense(FRAME_UNITS, activation="relu", name="frame_projection")(sequence)
    states = keras.layers.Bidirectional(
        keras.layers.LSTM(LSTM_UNITS, return_sequences=True, unroll=unroll), name="bilstm")(narrow)
    order = keras.layers.GlobalAveragePooling1D(name="order_pool")(states)
    ordered = keras.layers.Dense(DIM, use_bias=False, kernel_initializer="zeros",
                                 name="order_projection")(order)
    summary = _project(keras.layers.GlobalAveragePooling1D(name="mean_over_time")(sequence),
                       keras.layers.GlobalMaxPooling1D(name="peak_over_time")(sequence), "audio")
    return keras.Model(sequence, keras.layers.Add(name="audio_embedding")([summary, ordered]),
                       name="audio_tower")


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
        self.image_kernel = self.add_weight(shape=(DIM, DIM), initializer="identity",
                                            name="image_kernel")
        self.audio_kernel = self.add_weight(shape=(DIM, DIM), initializer="identity",
                                            name="audio_kernel")
        self.image_token = self.add_weight(shape=(DIM,), initializer="zeros", name="image_token")
        self.audio_token = self.add_weight(shape=(DIM,), initializer="zeros", name="audio_token")
        self.gain = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(self._initial_gain),
            trainable=False, name="gain")

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


def set_projection(model: keras.Model, sense: str, kernel: NDArray[np.float32],
                   bias: NDArray[np.float32]) -> None:
    """Start the projection of a sense's mean and peak, side by side as [2 C, 128]."""
    half = len(kernel) // 2
    model.get_layer(f"{sense}_mean_projection").set_weights([kernel[:half], bias])
    model.get_layer(f"{sense}_peak_projection").set_weights([kernel[half:]])
