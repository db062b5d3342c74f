"""The packaged YAMNet from its log-mel spectrogram on, which is made here, once for each hop.

Its file takes 0.96 s of waveform and makes 96 frames of them, of which the patch before had made
48 (Plakal and Ellis, 2020: Hann windows of 25 ms each 10 ms, 64 mel bands, log(x + 0.001)).
"""

import mmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield.audio import Waveform
from birdfield.interpreter import PlainModel

FRAME, STEP, FFT = 400, 160, 512  # samples
BANDS = 64
HALF = 48  # frames of a hop; a patch has two
OFFSET = 0.001
# The Hann window is periodic.
HANN = np.sin(np.pi * np.arange(FRAME) / FRAME) ** 2

# Where the packaged file holds the list of its operators, the reference to that list, the number
# of its input tensor, and the mel matrix: places that its SHA-256 makes certain. The list is told
# to begin at the first convolution, and the input to be what that one reads.
OPERATORS_AT, REFERENCE_AT, INPUT_AT, MEL_AT = 14_989_744, 14_989_716, 14_992_804, 4_852
OPERATORS, FIRST, LOG_MEL_TENSOR = 49, 15, 88


def read_yamnet(path: Path) -> tuple[bytes, NDArray[np.float64]]:
    """Read the packaged file, whose SHA-256 was checked, as a model of the log-mel spectrogram.

    Returns:
        A TFLite file's content, which takes [1, 96, 64, 1] and gives scores, bands and embeddings;
        and the mel matrix, float64 [257, 64].
    """
    start_at = OPERATORS_AT + 4 * FIRST  # a list is its length, then references from where they are
    changes = {REFERENCE_AT: start_at - REFERENCE_AT, start_at: OPERATORS - FIRST,
               INPUT_AT: LOG_MEL_TENSOR}
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0,
                                              access=mmap.ACCESS_READ) as content:
        mel = np.frombuffer(content[MEL_AT : MEL_AT + 4 * BANDS * (FFT // 2 + 1)], "<f4")
        parts, read = [], 0
        for place, value in sorted(changes.items()):
            parts += [content[read:place], value.to_bytes(4, "little")]
            read = place + 4
        return b"".join([*parts, content[read:]]), mel.reshape(BANDS, -1).T.astype(np.float64)


def log_mel(waveform: Waveform, mel: NDArray[np.float64]) -> NDArray[np.float32]:
    """Make log-mel frames of float32 [N], N >= 400, at 16 kHz; returns float32 [F, 64]."""
    frames = np.lib.stride_tricks.sliding_window_view(waveform, FRAME)[::STEP]
    # In 64 bits, as YAMNet's own operator has it: beside a loud tone 32 bits drown a quiet one.
    magnitude = np.abs(np.fft.rfft(frames * HANN, FFT))
    return np.log(magnitude @ mel + OFFSET).astype(np.float32)


class LogMelYamnet:
    """The packaged YAMNet, on log-mel frames that are made once. Not thread-safe."""

    def __init__(self, path: Path, threads: int) -> None:
        """Load the packaged file, whose SHA-256 was checked."""
        content, self._mel = read_yamnet(path)
        self._model = PlainModel(content, str(path), threads)
        self._patch = np.zeros(0, np.float32)  # the last one
        self._frames = np.zeros((2 * HALF, BANDS), np.float32)  # of it

    def embed(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed consecutive patches [T, 15600]; returns [T, 5641]: embedding, bands, scores."""
        rows = [self._row(patch) for patch in patches]
        return np.stack(rows)

    def _row(self, patch: Waveform) -> NDArray[np.float32]:
        hop = HALF * STEP
        if len(self._patch) and np.array_equal(self._patch[hop:], patch[:-hop]):
            self._frames[:HALF] = self._frames[HALF:]
            self._frames[HALF:] = log_mel(patch[hop:], self._mel)
        else:
            self._frames[:] = log_mel(patch, self._mel)
        self._patch = patch
        scores, bands, embedding = self._model.outputs(self._frames[None, ..., None])
        return np.concatenate([embedding[0], bands[0], scores[0]])
