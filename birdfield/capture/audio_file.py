"""Audio files: a microphone that reads a sound file forward once."""

from pathlib import Path

import numpy as np

from birdfield.capture.sound_ring import MIN_WINDOW_S
from birdfield.errors import InputError
from birdfield.signals.audio import Waveform, read_blocks


class AudioFile:
    """A sound file, read forward once in its own time. Not thread-safe.

    Attributes:
        name: The path.
        ended: Whether the caller has read the file to its end.
    """

    live = False
    loss = None
    overruns = defects = 0

    def __init__(self, path: Path, rate_hz: int) -> None:
        """Open the file.

        Args:
            path: A WAV, FLAC, OGG, MP3 or AIFF file.
            rate_hz: The sample rate of the windows.

        Raises:
            InputError: When it is not a recording.
        """
        self.name = str(path)
        self.ended = False
        self._rate_hz = rate_hz
        self._blocks = read_blocks(path, rate_hz)
        self._kept = np.zeros(0, np.float32)
        self._first = 0  # the index in the file of the first kept sample
        while not len(self._kept):
            if not self._read():
                raise InputError(f"{path}: holds no sound; expected a recording")

    def _read(self) -> bool:
        """Read the next block; return False at the end of the file."""
        block = next(self._blocks, None)
        if block is not None:
            self._kept = np.concatenate([self._kept, block])
        return block is not None

    @property
    def end_s(self) -> float:
        """The end of the sound that has been read."""
        return (self._first + len(self._kept)) / self._rate_hz

    def window(self, start_s: float, end_s: float) -> Waveform | None:
        """Read on to end_s, and return a window.

        Returns:
            float32 [N], mono: the sound of [start_s, end_s), shorter at the end of the file; None
            when there is less than MIN_WINDOW_S of it.
        """
        rate_hz = self._rate_hz
        first, length = round(start_s * rate_hz), round((end_s - start_s) * rate_hz)
        # Read one more sample than the window has, to know whether the file ends with the window.
        while not self.ended and self._first + len(self._kept) <= first + length:
            self.ended = not self._read()
        surplus = min(max(first - self._first, 0), len(self._kept))
        self._kept = self._kept[surplus:]
        self._first += surplus
        waveform = self._kept[:length]
        return waveform.copy() if len(waveform) >= MIN_WINDOW_S * rate_hz else None

    def close(self) -> None:
        """Close the file."""
        self._blocks = iter(())  # deletes the reader, which closes its file
        self.ended = True
