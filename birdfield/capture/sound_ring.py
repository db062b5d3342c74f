"""The last seconds of live sound, found again by the time at which they were heard."""

import math
import threading
import time
from collections import deque

import numpy as np

from birdfield.capture.latency import MAX_LATENCY_S
from birdfield.signals.audio import Waveform

MIN_WINDOW_S = 1.0  # less sound is no window
# Of a live microphone: two windows, as one may be asked for late, and later by a camera's latency.
KEPT_S = 12.0 + MAX_LATENCY_S
ARRIVAL_S = 0.5  # how long a window waits for its last blocks
EARLY_S, LATE_S = 0.05, 0.5  # how far blocks may stray before the time of all sound is set anew


class SoundRing:
    """Keeps the newest KEPT_S of live sound; one thread pushes while another asks for windows.

    Time is counted in samples from the arrival of the first block, so that windows keep their
    distance to the sample; it is set anew when blocks come too early or too late for it.

    Attributes:
        newest_s: When the last block arrived, by time.monotonic().
        sounded_s: When the last block arrived that was not digital silence.
    """

    def __init__(self, rate_hz: int) -> None:
        """Keep sound of a rate."""
        self._rate_hz = rate_hz
        self._arrived = threading.Condition()
        self.newest_s = self.sounded_s = -math.inf
        self.clear()

    def clear(self) -> None:
        """Forget all sound: what was recorded before a loss does not join what comes now."""
        with self._arrived:
            self._blocks: deque[Waveform] = deque()
            self._kept = self._taken = 0  # samples
            self._began_s = math.inf  # when the first of those taken was recorded

    def push(self, waveform: Waveform) -> None:
        """Keep a block, float32 [N], that has just been recorded."""
        with self._arrived:
            self._blocks.append(waveform)
            self._kept += len(waveform)
            self._taken += len(waveform)
            while self._kept > KEPT_S * self._rate_hz:
                self._kept -= len(self._blocks.popleft())
            self.newest_s = time.monotonic()
            if waveform.any():
                self.sounded_s = self.newest_s
            began_s = self.newest_s - self._taken / self._rate_hz
            if not -EARLY_S <= began_s - self._began_s <= LATE_S:
                self._began_s = began_s
            self._arrived.notify_all()

    def window(self, start_s: float, end_s: float) -> Waveform | None:
        """Return the sound of [start_s, end_s) of time.monotonic().

        Waits a moment for the last block when end_s has just passed.

        Returns:
            float32 [N], mono; None when less than MIN_WINDOW_S was recorded in that time.
        """
        rate_hz = self._rate_hz
        with self._arrived:
            self._arrived.wait_for(
                lambda: self._began_s + self._taken / rate_hz >= end_s, ARRIVAL_S
            )
            began_s, taken, blocks = self._began_s, self._taken, list(self._blocks)
        if not blocks:
            return None
        sound = np.concatenate(blocks)
        last = round((end_s - began_s) * rate_hz) - (taken - len(sound))
        first = last - round((end_s - start_s) * rate_hz)
        waveform = sound[max(first, 0) : max(last, 0)]
        return waveform if len(waveform) >= MIN_WINDOW_S * rate_hz else None
