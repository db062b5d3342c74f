"""Windows that overlap: what was made of a patch for one of them is kept for the next one."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from birdfield.signals.audio import Waveform
from birdfield.signals.windows import AudioSpec, cut_patches

Rows = NDArray[np.float32]  # [T, D], what was made of T patches


class Stream:
    """Embeds windows of one sound, and of each only the patches that the one before lacked.

    A patch is known again by its samples, all of them: whatever is asked for, the answer is that
    of the model, and windows of another sound cost what they always did. Not thread-safe.
    """

    def __init__(self, spec: AudioSpec, embed: Callable[[NDArray[np.float32]], Rows]) -> None:
        """Take a function that makes [T, D] of consecutive patches [T, patch], T >= 1."""
        self._spec = spec
        self._embed = embed
        self._patches = np.zeros((0, spec.patch), np.float32)
        self._rows: Rows | None = None

    def embed(self, waveform: Waveform) -> Rows:
        """Embed float32 [N], N >= 1, at the frontend's rate; returns [T, D], not to be changed."""
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

    def _shift(self, wanted: NDArray[np.float32]) -> int:
        """Tell at which patch of the last window this one begins; all of them when at none."""
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
