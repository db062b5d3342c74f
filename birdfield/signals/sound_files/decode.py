"""Decoding: reads the sound of a part with libsndfile, past what is damaged."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from birdfield.signals.sound_files.part import SoundPart
from birdfield.signals.sound_files.pieces import Pieces

if TYPE_CHECKING:  # at run time, imported where sound is read: a photograph does not need it
    import soundfile

BLOCK_S = 10.0  # how much sound is in memory at a time ...
MAX_BLOCK = 4_000_000  # ... at most, in samples of all channels
STEP_S = 0.1  # the length of a read near damage
PATIENCE = 10  # reads that fail before the steps past the damage grow
MAX_FAILURES = 2000  # reads that fail one after the other: no more sound is to be expected
NO_LENGTH = 1 << 62  # from here on, libsndfile does not know the length


class PartDecoder:
    """The decoder of one part of a sound file.

    Attributes:
        rate_hz: The sample rate.
        decoded: How many samples of a channel were decoded.
        lost: How many samples of a channel were not, as far as the file states its length.
    """

    def __init__(self, stream: BinaryIO, part: SoundPart) -> None:
        """Open the part; raises soundfile.LibsndfileError where it cannot be decoded."""
        self._stream, self._part = stream, part
        self._sound = self._open()
        self._frames: int = self._sound.frames
        self.rate_hz: int = self._sound.samplerate
        self._step = round(STEP_S * self.rate_hz) or 1
        longest = min(round(BLOCK_S * self.rate_hz), MAX_BLOCK // self._sound.channels)
        self._block = max(longest, self._step)
        self.decoded, self.lost = -part.lost, part.lost

    def _open(self) -> "soundfile.SoundFile":
        import soundfile

        self._pieces = Pieces(self._stream, self._part.pieces)
        raw = self._part.raw
        if raw is None:
            return soundfile.SoundFile(self._pieces)
        return soundfile.SoundFile(
            self._pieces,
            samplerate=raw.rate_hz,
            channels=raw.channels,
            subtype=raw.subtype,
            endian=raw.endian,
            format="RAW",
        )

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield the sound, float32 [N, channels], with silence in place of damage within it.

        Raises:
            OSError: When the file cannot be read.
            soundfile.LibsndfileError: When nothing can be decoded.
        """
        import soundfile

        place = gap = failures = careful_until = 0
        failure: soundfile.LibsndfileError | None = None
        while place < self._frames and failures < MAX_FAILURES:
            step = self._step if place < careful_until else self._block
            try:
                block = self._read(place, step)
            except soundfile.LibsndfileError as error:
                failure = error
                if step > self._step and self._frames < NO_LENGTH:
                    careful_until = place + self._block  # the damage is somewhere in this block
                    continue
                failures += 1
                width = min(self._step << max(0, failures - PATIENCE), self._block)
                gap, place = gap + width, place + width
                continue
            if not len(block):
                break
            yield from self._silence(gap, block.shape[1])
            self.lost, gap, failures = self.lost + gap, 0, 0
            place += len(block)
            self.decoded += len(block)
            yield block
        if failure is not None and not place - gap:
            raise failure
        self.lost += self._missing(place - gap)

    def _read(self, place: int, count: int) -> NDArray[np.float32]:
        """Read from a place on; open the part again after an error, which libsndfile keeps."""
        import soundfile

        try:
            if self._sound.closed:
                self._sound = self._open()
                self._sound.seek(place)
            # Not sound.blocks: where the header states too great a length, it returns unset memory.
            block = self._sound.read(count, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError:
            self._check_reads()
            self._sound.close()
            raise
        self._check_reads()
        return np.asarray(block, np.float32)

    def _check_reads(self) -> None:
        if self._pieces.error is not None:
            raise self._pieces.error

    def _silence(self, count: int, channels: int) -> Iterator[NDArray[np.float32]]:
        while count > 0:
            yield np.zeros((min(count, self._block), channels), np.float32)
            count -= self._block

    def _missing(self, reached: int) -> int:
        """Return how many samples the file states beyond those that were reached."""
        stated = self._part.stated
        if stated is None:
            stated = self._frames if self._frames < NO_LENGTH else 0
        return max(0, stated - reached)

    def close(self) -> None:
        """Close the decoder; the file stays open."""
        self._sound.close()
