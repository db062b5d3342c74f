"""Sound ring: the last seconds of live sound, indexed by the time of recording."""

import math
import threading
import time
from collections import deque

import numpy as np

from birdfield.capture.latency import MAX_LATENCY_S
from birdfield.signals.audio import Waveform

MIN_WINDOW_S = 1.0  # a window with less sound is None
# Two windows, since the owner may ask for one late, and later still by a camera's latency.
KEPT_S = 12.0 + MAX_LATENCY_S
ARRIVAL_S = 0.5  # how long `window` waits for its last blocks
MAX_EARLY_S, MAX_LATE_S = 0.05, 0.5  # beyond these, the time of all sound is set again


class SoundRing:
    """The newest KEPT_S of live sound; one thread pushes while another asks for windows.

    Time is counted in samples from the arrival of the first block, so that the distance between
    windows is exact to the sample. A block that arrives too early or too late for this time sets it
    again.

    Attributes:
        newest_s: When the last block arrived, by time.monotonic().
        sounded_s: When the last block arrived that was not digital silence.
    """

    def __init__(self, rate_hz: int) -> None:
        """Start without sound, at a sample rate."""
        self._rate_hz = rate_hz
        self._arrived = threading.Condition()
        self.newest_s = self.sounded_s = -math.inf
        self.clear()

    def clear(self) -> None:
        """Delete all sound, so that a window never joins sound from before and after a loss."""
        with self._arrived:
            self._blocks: deque[Waveform] = deque()
            self._kept_count = self._pushed_count = 0  # samples
            self._began_s = math.inf  # when the first pushed sample was recorded

    def push(self, waveform: Waveform) -> None:
        """Keep a block, float32 [N], that has just been recorded."""
        with self._arrived:
            self._blocks.append(waveform)
            self._kept_count += len(waveform)
            self._pushed_count += len(waveform)
            while self._kept_count > KEPT_S * self._rate_hz:
                self._kept_count -= len(self._blocks.popleft())
            self.newest_s = time.monotonic()
            if waveform.any():
                self.sounded_s = self.newest_s
            began_s = self.newest_s - self._pushed_count / self._rate_hz
            if not -MAX_EARLY_S <= began_s - self._began_s <= MAX_LATE_S:
                self._began_s = began_s
            self._arrived.notify_all()

    def window(self, start_s: float, end_s: float) -> Waveform | None:
        """Return the sound of [start_s, end_s) of time.monotonic().

        Waits up to ARRIVAL_S for the last block when end_s has just passed.

        Returns:
            float32 [N], mono; None when less than MIN_WINDOW_S of that time was recorded.
        """
        rate_hz = self._rate_hz
        with self._arrived:
            self._arrived.wait_for(
                lambda: self._began_s + self._pushed_count / rate_hz >= end_s, ARRIVAL_S
            )
            began_s, pushed_count, blocks = self._began_s, self._pushed_count, list(self._blocks)
        if not blocks:
            return None
        sound = np.concatenate(blocks)
        last = round((end_s - began_s) * rate_hz) - (pushed_count - len(sound))
        first = last - round((end_s - start_s) * rate_hz)
        waveform = sound[max(first, 0) : max(last, 0)]
        return waveform if len(waveform) >= MIN_WINDOW_S * rate_hz else None
