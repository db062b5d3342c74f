"""Log-mel YAMNet: runs the packaged YAMNet, computing the spectrogram of each hop only once.

A patch has 96 log-mel frames, of which the patch before it has 48 too. The spectrogram is that of
YAMNet (Plakal and Ellis, 2020): Hann windows of 25 ms each 10 ms, magnitudes, 64 mel bands,
log(x + 0.001).
"""

import numpy as np
from numpy.typing import NDArray

from birdfield.model.tflite import SingleInputModel
from birdfield.paths import PACKAGED_YAMNET_INT8, PACKAGED_YAMNET_INT8_SHA256, check_sha256
from birdfield.signals.audio import Waveform

RATE_HZ = 16_000
FRAME, STEP, FFT = 400, 160, 512  # samples
HOP_FRAMES = 48  # log-mel frames of a hop; a patch has twice as many
MEL_BANDS = 64
LOWEST_HZ, HIGHEST_HZ = 125.0, 7_500.0
LOG_OFFSET = 0.001


def mel_matrix() -> NDArray[np.float64]:
    """Return the triangular filters [257, 64] from magnitudes to mel bands, as in TensorFlow."""
    bins = _to_mel(np.linspace(0, RATE_HZ / 2, FFT // 2 + 1))[:, None]
    lowest, highest = _to_mel(np.array(LOWEST_HZ)), _to_mel(np.array(HIGHEST_HZ))
    edges = np.linspace(lowest, highest, MEL_BANDS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    return np.asarray(np.maximum(0, np.minimum(rising, falling)))


def _to_mel(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1127 * np.log1p(frequency_hz / 700))


HANN = np.sin(np.pi * np.arange(FRAME) / FRAME) ** 2  # periodic
MEL = mel_matrix()


def log_mel(waveform: Waveform) -> NDArray[np.float32]:
    """Return the log-mel frames, float32 [F, 64], of float32 [N], N >= 400, at 16 kHz."""
    frames = np.lib.stride_tricks.sliding_window_view(waveform, FRAME)[::STEP]
    # In 64 bits, as in YAMNet's own operator: 32 bits lose a quiet tone beside a loud one.
    magnitude = np.abs(np.fft.rfft(frames * HANN, FFT))
    return np.log(magnitude @ MEL + LOG_OFFSET).astype(np.float32)


class LogMelYamnet:
    """The packaged 8-bit YAMNet, which starts from log-mel frames. Not thread-safe."""

    def __init__(self, threads: int) -> None:
        """Load the packaged file; raises InputError when it has been changed."""
        check_sha256(PACKAGED_YAMNET_INT8, PACKAGED_YAMNET_INT8_SHA256)
        self._model = SingleInputModel(PACKAGED_YAMNET_INT8, threads)
        self._patch: Waveform = np.zeros(0, np.float32)  # the last patch
        self._frames = np.zeros((2 * HOP_FRAMES, MEL_BANDS), np.float32)  # of the last patch

    def embed(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed consecutive patches [T, 15600]; returns [T, 5641]: embedding, bands, scores."""
        return np.stack([self._embed_patch(patch) for patch in patches])

    def _embed_patch(self, patch: Waveform) -> NDArray[np.float32]:
        hop = HOP_FRAMES * STEP  # samples
        half = hop + FRAME - STEP  # samples from which the frames of one hop are computed
        # Each half is computed alone, even in a first patch: NumPy's matrix product gives equal
        # rows for equal input only in products of equal shape.
        if len(self._patch) and np.array_equal(self._patch[hop:], patch[:half]):
            self._frames[:HOP_FRAMES] = self._frames[HOP_FRAMES:]
        else:
            self._frames[:HOP_FRAMES] = log_mel(patch[:half])
        self._frames[HOP_FRAMES:] = log_mel(patch[hop:])
        self._patch = patch
        scores, bands, embedding = self._model.outputs(self._frames[None, ..., None])
        return np.concatenate([embedding[0], bands[0], scores[0]])
