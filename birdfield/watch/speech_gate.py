"""Privacy: of a window in which somebody speaks, and of its neighbours, no sound is kept."""

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from birdfield.watch.scene import DECISION_S
from birdfield.watch.window import Window

# Chosen for no voice at 0 dB and more over a bird to pass: docs/decisions/0018-field-station.md.
# Of AudioSet: Speech; Child speech; Conversation; Narration; Babbling; Speech synthesizer;
# Shout; Bellow; Whoop; Yell; Children shouting; Screaming; Whispering; then laughter, 13 to 18.
SPEAKING = tuple(range(19))
SPEECH = 0.04  # what these must score, by the geometric mean of the two patches that score most
NEIGHBOUR_S = DECISION_S  # on either side of a window with speech: one window more


def speech_score(window: Window) -> float:
    """Return how surely YAMNet hears a person in a window, 0..1: in two patches, which overlap."""
    if window.heard.heard is None:
        return 0.0
    classes: NDArray[np.float32] = window.heard.heard.classes
    highest = np.sort(classes[:, SPEAKING].max(axis=1))[-2:]
    return float(np.sqrt(highest[0] * highest[-1]))


class SpeechGate:
    """Holds each window back until it is known whether its neighbours are free of speech.

    Not thread-safe.
    """

    def __init__(self, open_to_all: bool = False) -> None:
        """Start; with open_to_all, nothing is held back and all sound may be kept."""
        self._open_to_all = open_to_all
        self._held: deque[Window] = deque()
        self._spoken: deque[tuple[float, float]] = deque()
        self.withheld = 0  # windows of sound that may not be kept

    def push(self, window: Window) -> Iterator[tuple[Window, bool]]:
        """Take the next window; yields those ready, and whether their sound may be kept."""
        if not self._open_to_all and speech_score(window) >= SPEECH:
            self._spoken.append((window.start_s - NEIGHBOUR_S, window.end_s + NEIGHBOUR_S))
        self._held.append(window)
        # The next window to come starts after this one: it can reach NEIGHBOUR_S back from there.
        while self._held and (
            self._open_to_all or self._held[0].end_s <= window.start_s - NEIGHBOUR_S
        ):
            yield self._release()

    def flush(self) -> Iterator[tuple[Window, bool]]:
        """Yield what is still held at the end of a scene."""
        while self._held:
            yield self._release()

    def _release(self) -> tuple[Window, bool]:
        window = self._held.popleft()
        while self._spoken and self._spoken[0][1] <= window.start_s:
            self._spoken.popleft()
        spoken = any(
            start_s < window.end_s and window.start_s < end_s for start_s, end_s in self._spoken
        )
        self.withheld += spoken
        return window, not spoken
