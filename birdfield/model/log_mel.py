"""The packaged YAMNet from its log-mel spectrogram on, which is made here, once for each hop.

A patch of 0.96 s has 96 frames, of which the patch before had 48 (Plakal and Ellis, 2020: Hann
windows of 25 ms each 10 ms, magnitudes, 64 mel bands, log(x + 0.001)).
"""

import numpy as np
from numpy.typing import NDArray

from birdfield.model.tflite import SingleInputModel
from birdfield.paths import PACKAGED_YAMNET_INT8, PACKAGED_YAMNET_INT8_SHA256, check_sha256
from birdfield.signals.audio import Waveform

RATE_HZ = 16_000
FRAME, STEP, FFT = 400, 160, 512  # samples
HALF = 48  # frames of a hop; a patch has two
BANDS = 64
LOWEST_HZ, HIGHEST_HZ = 125.0, 7_500.0
OFFSET = 0.001


def mel_matrix() -> NDArray[np.float64]:
    """Make the triangles that sum magnitudes to mel bands, [257, 64], as TensorFlow's are."""
    bins = _mel(np.linspace(0, RATE_HZ / 2, FFT // 2 + 1))[:, None]
    edges = np.linspace(_mel(np.array(LOWEST_HZ)), _mel(np.array(HIGHEST_HZ)), BANDS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    return np.asarray(np.maximum(0, np.minimum(rising, falling)))


def _mel(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1127 * np.log1p(frequency_hz / 700))


# The Hann window is periodic.
HANN = np.sin(np.pi * np.arange(FRAME) / FRAME) ** 2
MEL = mel_matrix()


def log_mel(waveform: Waveform) -> NDArray[np.float32]:
    """Make log-mel frames of float32 [N], N >= 400, at 16 kHz; returns float32 [F, 64]."""
    frames = np.lib.stride_tricks.sliding_window_view(waveform, FRAME)[::STEP]
    # In 64 bits, as YAMNet's own operator has it: beside a loud tone 32 bits drown a quiet one.
    magnitude = np.abs(np.fft.rfft(frames * HANN, FFT))
    return np.log(magnitude @ MEL + OFFSET).astype(np.float32)


class LogMelYamnet:
    """The packaged YAMNet, on log-mel frames that are made once. Not thread-safe."""

    def __init__(self, threads: int) -> None:
        """Load the packaged file; raises InputError when it is not the one that was packaged."""
        check_sha256(PACKAGED_YAMNET_INT8, PACKAGED_YAMNET_INT8_SHA256)
        self._model = SingleInputModel(PACKAGED_YAMNET_INT8, threads)
        self._patch = np.zeros(0, np.float32)  # the last one
        self._frames = np.zeros((2 * HALF, BANDS), np.float32)  # of it

    def embed(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed consecutive patches [T, 15600]; returns [T, 5641]: embedding, bands, scores."""
        return np.stack([self._row(patch) for patch in patches])

    def _row(self, patch: Waveform) -> NDArray[np.float32]:
        hop, half = HALF * STEP, HALF * STEP + FRAME - STEP  # samples of one, and of its frames
        # Halves alone, also of a first patch: in products of equal shape equal rows are equal.
        if len(self._patch) and np.array_equal(self._patch[hop:], patch[:half]):
            self._frames[:HALF] = self._frames[HALF:]
        else:
            self._frames[:HALF] = log_mel(patch[:half])
        self._frames[HALF:] = log_mel(patch[hop:])
        self._patch = patch
        scores, bands, embedding = self._model.outputs(self._frames[None, ..., None])
        return np.concatenate([embedding[0], bands[0], scores[0]])
