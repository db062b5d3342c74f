"""Windows: cuts sound into the windows and patches that models read."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birdfield.signals.audio import Waveform


@dataclass(frozen=True)
class AudioSpec:
    """The input and output of a frontend, and the length of the audio tower's windows.

    Attributes:
        name: The frontend's name.
        rate_hz: Sample rate.
        patch: Samples that the frontend turns into one embedding.
        hop: Samples from the start of one patch to the start of the next.
        patches_per_window: Patches in a window.
        dim: Numbers in an embedding.
        class_dim: How many of these numbers, the last ones, are a projection of the frontend's
            classes; see docs/decisions/0019-class-evidence.md.
        padded: Whether zeros fill up the last patch of a recording. If not, the last patch is moved
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
        """Samples from one window of a recording to the next, which share no patch."""
        return self.patches_per_window * self.hop

    def patch_count(self, samples: int) -> int:
        """Return how many patches a number of samples has, at least 1."""
        beyond = max(0, samples - self.patch)
        return 1 + (
            -(-beyond // self.hop) if self.padded else (2 * beyond + self.hop) // (2 * self.hop)
        )

    def to_json(self) -> dict[str, int | str]:
        """Return the form that a manifest holds."""
        entries: dict[str, int | str] = {
            "rate_hz": self.rate_hz,
            "patch_samples": self.patch,
            "hop_samples": self.hop,
            "frames": self.patches_per_window,
            "dim": self.dim,
            "unit": "waveform -1..1",
        }
        return {**entries, "evidence": self.class_dim} if self.class_dim else entries


def cut_windows(blocks: Iterable[Waveform], spec: AudioSpec) -> Iterator[tuple[int, Waveform]]:
    """Cut a stream of samples into windows, in bounded memory.

    Consecutive windows share no patch, except that the last one is moved back by whole hops until
    it is full.

    Args:
        blocks: Consecutive pieces of one recording at the frontend's rate.
        spec: The frontend's spec.

    Yields:
        The index of the window's first sample, and float32 [<= spec.window]. Only the last window
        is shorter: by less than a hop, or because the whole recording is. Where the spec is not
        padded, up to half a hop at the end of a recording is in no window.
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


def window_starts(patch_count: int, patches_per_window: int) -> list[int]:
    """Return the index of the first patch of each window, as `cut_windows` cuts them.

    Args:
        patch_count: How many patches the recording has.
        patches_per_window: How many patches a window has.
    """
    last = max(0, patch_count - patches_per_window)
    return sorted({*range(0, last + 1, patches_per_window), last})


def cut_patches(waveform: Waveform, spec: AudioSpec) -> NDArray[np.float32]:
    """Cut a waveform into a frontend's overlapping patches.

    Args:
        waveform: float32 [N], N >= 1, at the frontend's rate.
        spec: The frontend's spec.

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


def repeat_patches(embeddings: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Repeat a sequence of patch embeddings until it fills a window.

    See docs/decisions/0003-short-audio.md.

    Args:
        embeddings: float32 [T, D], 1 <= T <= count.
        count: The patches in a window.

    Returns:
        float32 [count, D].
    """
    return embeddings[np.arange(count) % len(embeddings)]
