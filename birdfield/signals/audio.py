"""Recordings: reading them block by block, at the rate and in the windows of a frontend."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError

if TYPE_CHECKING:  # at run time they are imported where sound is read: a photograph needs neither
    import soundfile

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif"})

MIN_S = 0.1  # anything shorter is no recording
BLOCK_S = 10.0  # how much of a file is in memory at a time

Waveform = NDArray[np.float32]


@dataclass(frozen=True)
class AudioSpec:
    """What a frontend reads and gives, and how much of it is one window of the audio tower.

    Attributes:
        name: Of the frontend.
        rate_hz: Sample rate.
        patch: Samples that become one embedding.
        hop: Samples from one patch to the next.
        patches_per_window: Patches in a window.
        dim: Numbers in an embedding.
        class_dim: How many of them, the last ones, are not the sound's but its classes'; see
            docs/decisions/0019-class-evidence.md.
        padded: Whether a recording's last patch is padded with zeros to be whole. Else it is moved
            back to end with the sound, and left out where less than half a hop of it is new; see
            docs/decisions/0006-birdnet-frontend.md.
    """

    name: str
    rate_hz: int
    patch: int
    hop: int
    patches_per_window: int
    dim: int
    class_dim: int = 0
    padded: bool = True

    @property
    def window(self) -> int:
        """Samples in a window."""
        return self.patch + (self.patches_per_window - 1) * self.hop

    @property
    def window_s(self) -> float:
        """Seconds in a window."""
        return self.window / self.rate_hz

    @property
    def stride(self) -> int:
        """Samples from one window of a recording to the next: no patch twice."""
        return self.patches_per_window * self.hop

    def patch_count(self, samples: int) -> int:
        """Count the patches of so many samples: 1 at least."""
        beyond = max(0, samples - self.patch)
        return 1 + (
            -(-beyond // self.hop) if self.padded else (2 * beyond + self.hop) // (2 * self.hop)
        )

    def to_json(self) -> dict[str, int | str]:
        """Return the form that manifests hold."""
        entries: dict[str, int | str] = {
            "rate_hz": self.rate_hz,
            "patch_samples": self.patch,
            "hop_samples": self.hop,
            "frames": self.patches_per_window,
            "dim": self.dim,
            "unit": "waveform -1..1",
        }
        return {**entries, "evidence": self.class_dim} if self.class_dim else entries


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
            block: float32 [N], mono, at the source's rate.
            last: Whether the source ends here, so that the converter is flushed.

        Returns:
            float32 [M] at the rate converted to: what is ready so far.
        """
        if self._stream is None:
            return block
        return np.asarray(self._stream.resample_chunk(block, last=last), np.float32)


def to_mono(block: NDArray[np.float32]) -> Waveform:
    """Mix [N, channels] to [N] by the mean, as float32."""
    return np.ascontiguousarray(block.mean(axis=1, dtype=np.float32))


def read_blocks(path: Path, rate_hz: int) -> Iterator[Waveform]:
    """Read a sound file piece by piece, in bounded memory.

    Args:
        path: A WAV, FLAC, OGG, MP3 or AIFF file of any length and Unicode name.
        rate_hz: The rate that is wanted.

    Yields:
        Mono float32 blocks at rate_hz, -1..1.

    Raises:
        InputError: When the file cannot be read, or holds a sample that is no finite number.
    """
    import soundfile

    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty; expected a recording")
        with path.open("rb") as stream, soundfile.SoundFile(stream) as sound:
            yield from _resampled(path, sound, rate_hz)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except soundfile.LibsndfileError as error:
        reason = str(error.error_string).rstrip(".")
        raise InputError(
            f"{path}: not a recording that can be decoded ({reason}); "
            "expected WAV, FLAC, OGG, MP3 or AIFF"
        ) from error


def _resampled(path: Path, sound: "soundfile.SoundFile", rate_hz: int) -> Iterator[Waveform]:
    resampler = Resampler(sound.samplerate, rate_hz)
    size = int(BLOCK_S * sound.samplerate)
    # Not sound.blocks: where a header promises more than there is, it gives uninitialised memory.
    while len(block := sound.read(size, dtype="float32", always_2d=True)):
        if not np.isfinite(block).all():
            raise InputError(
                f"{path}: holds samples that are no finite numbers; "
                "expected -1..1; record or convert it again"
            )
        yield resampler.push(to_mono(block))
    yield resampler.push(np.zeros(0, np.float32), last=True)


def read_audio(path: Path, rate_hz: int, limit_s: float = 3600.0) -> Waveform:
    """Read a whole recording.

    Args:
        path: A sound file.
        rate_hz: The rate that is wanted.
        limit_s: The longest recording that is taken, in seconds.

    Returns:
        float32 [N], mono, at rate_hz.

    Raises:
        InputError: When it cannot be read, or is too short or too long.
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
    """Read the beginning of a recording of any length, and no more of it.

    Args:
        path: A sound file.
        rate_hz: The rate that is wanted.
        length_s: The most that is taken, in seconds.

    Returns:
        float32 [N], mono, at rate_hz.

    Raises:
        InputError: When it cannot be read.
    """
    wanted, total = round(length_s * rate_hz), 0
    held: list[Waveform] = []
    for block in read_blocks(path, rate_hz):
        held.append(block)
        total += len(block)
        if total >= wanted:
            break
    return np.concatenate(held)[:wanted]


def cut_windows(blocks: Iterable[Waveform], spec: AudioSpec) -> Iterator[tuple[int, Waveform]]:
    """Cut a stream of samples into the audio tower's windows, in bounded memory.

    Consecutive windows share no patch; the last one is moved back, in whole hops, to be full.

    Args:
        blocks: Consecutive pieces of one recording at the frontend's rate.
        spec: Of the frontend.

    Yields:
        The first sample's index, and float32 [<= spec.window]; shorter only by what is missing of
        the last hop, or when the whole recording is. Without padding, up to half a hop at a
        recording's end is in none.
    """
    held = np.zeros(0, np.float32)  # from the first sample of the last window on
    held_from, following = 0, 0
    for block in blocks:
        held = np.concatenate([held, block])
        while held_from + len(held) >= following + spec.window:
            held = held[following - held_from :]
            held_from = following
            yield following, held[: spec.window]
            following += spec.stride
    total = held_from + len(held)
    last = spec.hop * max(0, spec.patch_count(total) - spec.patches_per_window)
    if total and last > following - spec.stride:
        yield last, held[last - held_from :][: spec.window]


def window_starts(frames: int, count: int) -> list[int]:
    """Tell at which of a recording's patches its windows of so many begin, as `windows` cuts."""
    last = max(0, frames - count)
    return sorted({*range(0, last + 1, count), last})


def cut_patches(waveform: Waveform, spec: AudioSpec) -> NDArray[np.float32]:
    """Cut a waveform into a frontend's overlapping patches.

    Args:
        waveform: float32 [N], N >= 1, at the frontend's rate.
        spec: Of the frontend.

    Returns:
        float32 [T, patch], T = spec.patch_count(N). The last one ends with zeros where spec.padded,
        as YAMNet itself does it, and where the whole waveform is shorter than a patch.
    """
    count = spec.patch_count(len(waveform))
    padded = np.zeros(spec.patch + (count - 1) * spec.hop, np.float32)
    whole = waveform[: len(padded)]
    padded[: len(whole)] = whole
    cut = np.lib.stride_tricks.sliding_window_view(padded, spec.patch)[:: spec.hop]
    if spec.padded or count == 1 or len(whole) == len(padded):
        return cut
    return np.concatenate([cut[:-1], waveform[None, -spec.patch :]])


def repeat_patches(frames: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Bring a sequence of patch embeddings to the audio tower's length.

    A shorter one is repeated from its beginning (docs/decisions/0003-short-audio.md).

    Args:
        frames: float32 [T, D], 1 <= T <= count.
        count: The tower's length.

    Returns:
        float32 [count, D].
    """
    return frames[np.arange(count) % len(frames)]
