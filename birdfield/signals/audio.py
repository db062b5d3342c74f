"""Audio: reads recordings in blocks, as mono sound at a sample rate."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError

if TYPE_CHECKING:  # at run time, imported where sound is read: a photograph does not need it
    from birdfield.signals.sound_files.decode import PartDecoder

AUDIO_SUFFIXES = frozenset({".wav", ".w64", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif"})

MIN_S = 0.1  # the shortest recording that `read_audio` accepts
MAX_S = 3600.0  # the longest recording that `read_audio` accepts by default
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 768_000  # the sample rates of recordings that are read

MAX_SAMPLE = 100.0  # 40 dB above full scale: no gain makes such samples

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


def is_sound(block: NDArray[np.float32]) -> bool:
    """Return whether all samples of a block are finite, and none is beyond MAX_SAMPLE."""
    return bool(np.abs(block).max(initial=0.0) <= MAX_SAMPLE)  # False for NaN


def read_blocks(path: Path, rate_hz: int) -> Iterator[Waveform]:
    """Read a sound file block by block, in bounded memory, to the end of its data.

    The length that its header states does not matter. Silence stands in place of damage; a warning
    in the log says how much cannot be read.

    Args:
        path: A WAV, RF64, W64, FLAC, OGG, Opus, MP3 or AIFF file of any length; its name may be any
            Unicode.
        rate_hz: The sample rate of the blocks.

    Yields:
        Mono float32 blocks at rate_hz, -1..1.

    Raises:
        InputError: When the file cannot be read, or a sample is not finite or beyond MAX_SAMPLE.
    """
    from birdfield.signals.sound_files.reading import open_sound

    with open_sound(path) as sound:
        for decoder in sound.decoders():
            yield from _resample(path, decoder, rate_hz)


def sample_rate(path: Path) -> int:
    """Return the sample rate of a sound file, in Hz; raises InputError as `read_blocks` does."""
    from birdfield.signals.sound_files.reading import open_sound

    with open_sound(path) as sound:
        return next(sound.decoders()).rate_hz


def _resample(path: Path, decoder: "PartDecoder", rate_hz: int) -> Iterator[Waveform]:
    if not MIN_RATE_HZ <= decoder.rate_hz <= MAX_RATE_HZ:
        raise InputError(
            f"{path}: states a sample rate of {decoder.rate_hz:,} Hz; "
            f"expected {MIN_RATE_HZ:,} to {MAX_RATE_HZ:,} Hz"
        )
    resampler = Resampler(decoder.rate_hz, rate_hz)
    for block in decoder.blocks():
        if not is_sound(block):
            raise InputError(
                f"{path}: holds samples that are not finite or far beyond full scale; "
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
