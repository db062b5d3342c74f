"""Streaming: embeds overlapping windows of a sound, each patch only once."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from birdfield.signals.audio import Waveform
from birdfield.signals.windows import AudioSpec, cut_patches

Patches = NDArray[np.float32]  # [T, patch], T patches of a waveform
Rows = NDArray[np.float32]  # [T, D], the outputs for T patches


class StreamingEmbedder:
    """Embeds windows of one sound, reusing the rows of patches in the window before.

    It recognises a patch by comparing all its samples. So results never depend on earlier calls;
    windows of an unrelated sound only cost as much as without it. Not thread-safe.
    """

    def __init__(self, spec: AudioSpec, embed: Callable[[Patches], Rows]) -> None:
        """Wrap a function that computes rows [T, D] of consecutive patches [T, patch], T >= 1."""
        self._spec = spec
        self._embed = embed
        self._patches: Patches = np.zeros((0, spec.patch), np.float32)
        self._rows: Rows | None = None

    def embed(self, waveform: Waveform) -> Rows:
        """Embed float32 [N], N >= 1, at the frontend's rate; returns read-only rows [T, D]."""
        wanted = cut_patches(waveform, self._spec)
        kept = None if self._rows is None else self._rows[self._shift(wanted) :][: len(wanted)]
        known = 0 if kept is None else len(kept)
        if kept is None or not known:
            rows = self._embed(wanted)
        elif known < len(wanted):
            rows = np.concatenate([kept, self._embed(wanted[known:])])
        else:
            rows = kept
        rows.flags.writeable = False
        self._patches, self._rows = wanted, rows
        return rows

    def _shift(self, wanted: Patches) -> int:
        """Return the patch of the last window at which this one starts; its length if at none."""
        last, hop = self._patches, self._spec.hop
        for shift in range(len(last)):
            count = min(len(last) - shift, len(wanted))
            if (
                np.array_equal(last[shift], wanted[0])
                and np.array_equal(last[shift + count - 1], wanted[count - 1])
                and np.array_equal(last[shift : shift + count, :hop], wanted[:count, :hop])
            ):
                return shift
        return len(last)
