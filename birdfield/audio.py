"""Recordings: reading them block by block, at the rate and in the windows that YAMNet takes."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from birdfield.errors import InputError

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif"})

RATE_HZ = 16_000
PATCH = 15_600  # samples in a YAMNet patch: 96 log-mel frames, 10 ms apart and 25 ms long
HOP = 7_680  # samples from one patch to the next: 48 log-mel frames, 0.48 s
FRAMES = 10  # patches in one window of the audio tower
WINDOW = PATCH + (FRAMES - 1) * HOP  # 84 720 samples in a window
WINDOW_S = WINDOW / RATE_HZ  # 5.295 s
STRIDE = FRAMES * HOP  # samples from one window of a recording to the next: no patch twice
MIN_SAMPLES = RATE_HZ // 10  # anything shorter than 0.1 s is no recording
BLOCK_S = 10.0  # how much of a file is in memory at a time

Waveform = NDArray[np.float32]


class Resampler:
    """A streaming sample-rate converter (soxr, high quality). Not thread-safe."""

    def __init__(self, rate_hz: float) -> None:
        """Convert from rate_hz to RATE_HZ."""
        self._stream = (None if rate_hz == RATE_HZ else
                        soxr.ResampleStream(rate_hz, RATE_HZ, 1, dtype="float32", quality="HQ"))

    def push(self, block: Waveform, last: bool = False) -> Waveform:
        """Convert the next block.

        Args:
            block: float32 [N], mono, at the source's rate.
            last: Whether the source ends here, so that the converter is flushed.

        Returns:
            float32 [M] at RATE_HZ: what is ready so far.
        """
        if self._stream is None:
            return block
        return np.asarray(self._stream.resample_chunk(block, last=last), np.float32)


def to_mono(block: NDArray[np.float32]) -> Waveform:
    """Mix [N, channels] to [N] by the mean, as float32."""
    return np.ascontiguousarray(block.mean(axis=1, dtype=np.float32))


def read_blocks(path: Path) -> Iterator[Waveform]:
    """Read a sound file piece by piece, in bounded memory.

    Args:
        path: A WAV, FLAC, OGG, MP3 or AIFF file of any length and Unicode name.

    Yields:
        Mono float32 blocks at RATE_HZ, -1..1.

    Raises:
        InputError: When the file cannot be read, or holds a sample that is no finite number.
    """
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty; expected a recording")
        with path.open("rb") as stream, soundfile.SoundFile(stream) as sound:
            yield from _resampled(path, sound)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except soundfile.LibsndfileError as error:
        reason = str(error.error_string).rstrip(".")
        raise InputError(f"{path}: not a recording that can be decoded ({reason}); "
                         "expected WAV, FLAC, OGG, MP3 or AIFF") from error


def _resampled(path: Path, sound: soundfile.SoundFile) -> Iterator[Waveform]:
    resampler = Resampler(sound.samplerate)
    for block in sound.blocks(int(BLOCK_S * sound.samplerate), dtype="float32", always_2d=True):
        if not np.isfinite(block).all():
            raise InputError(f"{path}: holds samples that are no finite numbers; "
                             "expected -1..1; record or convert it again")
        yield resampler.push(to_mono(block))
    yield resampler.push(np.zeros(0, np.float32), last=True)


def read_audio(path: Path, limit_s: float = 3600.0) -> Waveform:
    """Read a whole recording.

    Args:
        path: A sound file.
        limit_s: The longest recording that is taken, in seconds.

    Returns:
        float32 [N], mono, at RATE_HZ.

    Raises:
        InputError: When it cannot be read, or is too short or too long.
    """
    blocks: list[Waveform] = []
    total = 0
    for block in read_blocks(path):
        blocks.append(block)
        total += len(block)
        if total > limit_s * RATE_HZ:
            raise InputError(f"{path}: longer than {limit_s:g} s; cut it into shorter recordings")
    if total < MIN_SAMPLES:
        raise InputError(f"{path}: {total / RATE_HZ:.3f} s of sound; expected at least "
                         f"{MIN_SAMPLES / RATE_HZ} s")
    return np.concatenate(blocks)


def windows(blocks: Iterable[Waveform]) -> Iterator[tuple[int, Waveform]]:
    """Cut a stream of samples into the audio tower's windows, in bounded memory.

    Consecutive windows share no patch; the last one is moved back, in whole hops, to be full.

    Args:
        blocks: Consecutive pieces of one recording at RATE_HZ.

    Yields:
        The first sample's index, and float32 [<= WINDOW]; shorter than PATCH + 9 HOP only by
        what is missing of the last hop, or when the whole recording is.
    """
    held = np.zeros(0, np.float32)  # from the first sample of the last window on
    held_from, following = 0, 0
    for block in blocks:
        held = np.concatenate([held, block])
        while held_from + len(held) >= following + WINDOW:
            held = held[following - held_from :]
            held_from = following
            yield following, held[:WINDOW]
            following += STRIDE
    total = held_from + len(held)
    last = HOP * max(0, -(-(total - WINDOW) // HOP))
    if total and last > following - STRIDE:
        yield last, held[last - held_from :]


def window_starts(frames: int) -> list[int]:
    """Tell at which of a recording's patches its windows begin, as `windows` cuts them."""
    last = max(0, frames - FRAMES)
    return sorted({*range(0, last + 1, FRAMES), last})


def patches(waveform: Waveform) -> NDArray[np.float32]:
    """Cut a waveform into YAMNet's overlapping patches, as YAMNet itself does.

    Args:
        waveform: float32 [N], N >= 1, at RATE_HZ.

    Returns:
        float32 [T, PATCH], T = 1 + ceil((N - PATCH) / HOP), the end padded with zeros.
    """
    count = 1 + max(0, -(-(len(waveform) - PATCH) // HOP))
    padded = np.zeros(PATCH + (count - 1) * HOP, np.float32)
    padded[: len(waveform)] = waveform
    return np.lib.stride_tricks.sliding_window_view(padded, PATCH)[::HOP]


def fit_frames(frames: NDArray[np.float32], count: int = FRAMES) -> NDArray[np.float32]:
    """Bring a sequence of patch embeddings to the audio tower's length.

    A shorter one is repeated from its beginning (docs/decisions/0003-short-audio.md).

    Args:
        frames: float32 [T, D], 1 <= T <= count.
        count: The tower's length.

    Returns:
        float32 [count, D].
    """
    return frames[np.arange(count) % len(frames)]
