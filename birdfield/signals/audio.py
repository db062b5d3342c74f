"""Audio: reads recordings in blocks, as mono sound at a sample rate."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError

if TYPE_CHECKING:  # at run time, imported where sound is read: a photograph does not need it
    import soundfile

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif"})

MIN_S = 0.1  # the shortest recording that `read_audio` accepts
BLOCK_S = 10.0  # how much of a file is in memory at a time
MAX_S = 3600.0  # the longest recording that `read_audio` accepts by default

Waveform = NDArray[np.float32]  # [N], mono, -1..1


class Resampler:
    """A streaming sample-rate converter (soxr, high quality). Not thread-safe."""

    def __init__(self, from_hz: float, to_hz: float) -> None:
        """Convert from one sample rate to another."""
        import soxr

        self._stream = (
            None
            if from_hz == to_hz
            else soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="HQ")
        )

    def push(self, block: Waveform, last: bool = False) -> Waveform:
        """Convert the next block.

        Args:
            block: float32 [N], mono, at the first rate.
            last: Whether the source ends with this block, so that the converter is flushed.

        Returns:
            float32 [M] at the second rate: the samples that are ready.
        """
        if self._stream is None:
            return block
        return np.asarray(self._stream.resample_chunk(block, last=last), np.float32)


def to_mono(block: NDArray[np.float32]) -> Waveform:
    """Return the mean of the channels of a block [N, channels], as float32 [N]."""
    return np.ascontiguousarray(block.mean(axis=1, dtype=np.float32))


def read_blocks(path: Path, rate_hz: int) -> Iterator[Waveform]:
    """Read a sound file block by block, in bounded memory.

    Args:
        path: A WAV, FLAC, OGG, MP3 or AIFF file of any length; its name may be any Unicode.
        rate_hz: The sample rate of the blocks.

    Yields:
        Mono float32 blocks at rate_hz, -1..1.

    Raises:
        InputError: When the file cannot be read, or a sample is not a finite number.
    """
    import soundfile

    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty; expected a recording")
        with path.open("rb") as stream, soundfile.SoundFile(stream) as sound:
            yield from _resample(path, sound, rate_hz)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except soundfile.LibsndfileError as error:
        reason = str(error.error_string).rstrip(".")
        raise InputError(
            f"{path}: not a recording that can be decoded ({reason}); "
            "expected WAV, FLAC, OGG, MP3 or AIFF"
        ) from error


def _resample(path: Path, sound: "soundfile.SoundFile", rate_hz: int) -> Iterator[Waveform]:
    resampler = Resampler(sound.samplerate, rate_hz)
    size = int(BLOCK_S * sound.samplerate)
    # Not sound.blocks: where the header states too great a length, it returns unset memory.
    while len(block := sound.read(size, dtype="float32", always_2d=True)):
        if not np.isfinite(block).all():
            raise InputError(
                f"{path}: holds samples that are not finite numbers; "
                "expected -1..1; record or convert it again"
            )
        yield resampler.push(to_mono(block))
    yield resampler.push(np.zeros(0, np.float32), last=True)


def read_audio(path: Path, rate_hz: int, limit_s: float = MAX_S) -> Waveform:
    """Read a whole recording.

    Args:
        path: A sound file.
        rate_hz: The sample rate of the waveform.
        limit_s: The greatest length, in seconds.

    Returns:
        float32 [N], mono, at rate_hz.

    Raises:
        InputError: When it cannot be read, is shorter than MIN_S, or longer than limit_s.
    """
    blocks: list[Waveform] = []
    total = 0
    for block in read_blocks(path, rate_hz):
        blocks.append(block)
        total += len(block)
        if total > limit_s * rate_hz:
            raise InputError(f"{path}: longer than {limit_s:g} s; cut it into shorter recordings")
    if total < MIN_S * rate_hz:
        raise InputError(f"{path}: {total / rate_hz:.3f} s of sound; expected at least {MIN_S} s")
    return np.concatenate(blocks)


def read_beginning(path: Path, rate_hz: int, length_s: float) -> Waveform:
    """Read the beginning of a recording of any length.

    Args:
        path: A sound file.
        rate_hz: The sample rate of the waveform.
        length_s: How much of the recording to read at most, in seconds.

    Returns:
        float32 [N], mono, at rate_hz.

    Raises:
        InputError: When it cannot be read.
    """
    limit, total = round(length_s * rate_hz), 0
    blocks: list[Waveform] = []
    for block in read_blocks(path, rate_hz):
        blocks.append(block)
        total += len(block)
        if total >= limit:
            break
    return np.concatenate(blocks)[:limit]
