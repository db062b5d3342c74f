"""Privacy: of a window in which somebody speaks, and of its neighbours, no sound is kept."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from birdfield.camera import Camera, Shot
from birdfield.motion import Box
from birdfield.watch import DECISION_S
from birdfield.window import Window

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
        while self._held and (self._open_to_all
                              or self._held[0].end_s <= window.start_s - NEIGHBOUR_S):
            yield self._release()

    def flush(self) -> Iterator[tuple[Window, bool]]:
        """Yield what is still held at the end of a scene."""
        while self._held:
            yield self._release()

    def _release(self) -> tuple[Window, bool]:
        window = self._held.popleft()
        while self._spoken and self._spoken[0][1] <= window.start_s:
            self._spoken.popleft()
        spoken = any(start_s < window.end_s and window.start_s < end_s
                     for start_s, end_s in self._spoken)
        self.withheld += spoken
        return window, not spoken


class BlankedCamera:
    """A camera whose zones are black, before anything looks at them."""

    def __init__(self, camera: Camera, zones: list[Box], crop: Box | None) -> None:
        """Blank zones out.

        Args:
            camera: The source.
            zones: In the camera's own pixels.
            crop: What the camera cuts from its pictures, or None.
        """
        self._camera = camera
        left, top = (crop[0], crop[1]) if crop else (0, 0)
        self._zones = [(x - left, y - top, width, height) for x, y, width, height in zones]
        self.name, self.live = camera.name, camera.live

    @property
    def resting(self) -> bool:
        """Whether the source is looked at less often."""
        return self._camera.resting

    @resting.setter
    def resting(self, value: bool) -> None:
        self._camera.resting = value

    @property
    def ended(self) -> bool:
        """Whether the source has ended."""
        return self._camera.ended

    @property
    def end_s(self) -> float:
        """Where the source ends."""
        return self._camera.end_s

    @property
    def loss(self) -> str | None:
        """How the source was lost."""
        return self._camera.loss

    def newest(self, start_s: float, end_s: float) -> Shot | None:
        """Return the source's frame with the zones black."""
        shot = self._camera.newest(start_s, end_s)
        if shot is None:
            return None
        frame = shot.frame.copy()  # the source may hand the same frame out again
        for x, y, width, height in self._zones:
            frame[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = 0
        return replace(shot, frame=frame)

    def close(self) -> None:
        """Release the source."""
        self._camera.close()
