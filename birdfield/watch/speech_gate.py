"""Speech gate: keeps no sound of windows in which somebody speaks, nor of their neighbours."""

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from birdfield.watch.window import WINDOW_STEP_S, Window

# Chosen so that no voice at 0 dB or more over a bird passes: docs/decisions/0018-field-station.md.
# The classes of AudioSet: Speech; Child speech; Conversation; Narration; Babbling; Speech
# synthesizer; Shout; Bellow; Whoop; Yell; Children shouting; Screaming; Whispering; 13 to 18 are
# laughter.
SPEECH_CLASSES = tuple(range(19))
SPEECH_THRESHOLD = 0.04  # a `speech_score` from here on is speech
SPEECH_MARGIN_S = WINDOW_STEP_S  # before and after a window with speech: one more window


def speech_score(window: Window) -> float:
    """Return YAMNet's score of speech in a window, 0..1.

    It is the geometric mean of the two highest patches, because adjacent patches overlap.
    """
    if window.heard.features is None:
        return 0.0
    classes: NDArray[np.float32] = window.heard.features.class_scores
    highest = np.sort(classes[:, SPEECH_CLASSES].max(axis=1))[-2:]
    return float(np.sqrt(highest[0] * highest[-1]))


class SpeechGate:
    """Delays each window until its neighbours are known to hold speech or not. Not thread-safe.

    Attributes:
        withheld: The number of windows whose sound must not be kept.
    """

    def __init__(self, keep_voices: bool = False) -> None:
        """Start; with `keep_voices`, no window waits and all sound may be kept."""
        self._keep_voices = keep_voices
        self._waiting: deque[Window] = deque()
        self._speech_s: deque[tuple[float, float]] = deque()  # the spans of speech, with margins
        self.withheld = 0

    def push(self, window: Window) -> Iterator[tuple[Window, bool]]:
        """Add the next window; yield each window that is ready, and whether to keep its sound."""
        if not self._keep_voices and speech_score(window) >= SPEECH_THRESHOLD:
            self._speech_s.append(
                (window.start_s - SPEECH_MARGIN_S, window.end_s + SPEECH_MARGIN_S)
            )
        self._waiting.append(window)
        # Windows to come start after this one, and their margin reaches back from there.
        while self._waiting and (
            self._keep_voices or self._waiting[0].end_s <= window.start_s - SPEECH_MARGIN_S
        ):
            yield self._release()

    def flush(self) -> Iterator[tuple[Window, bool]]:
        """Yield the windows that still wait, at the end of a scene."""
        while self._waiting:
            yield self._release()

    def _release(self) -> tuple[Window, bool]:
        window = self._waiting.popleft()
        while self._speech_s and self._speech_s[0][1] <= window.start_s:
            self._speech_s.popleft()
        spoken = any(
            start_s < window.end_s and window.start_s < end_s for start_s, end_s in self._speech_s
        )
        self.withheld += spoken
        return window, not spoken
