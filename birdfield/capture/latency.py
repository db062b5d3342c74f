"""Latency: the delay of a station's camera and microphone."""

from dataclasses import dataclass

MAX_LATENCY_S = 10.0


@dataclass(frozen=True)
class Latency:
    """The delays of live sources; files have none.

    Attributes:
        camera_s: From an event to the arrival of its frame, 0..MAX_LATENCY_S.
        microphone_s: From an event to the arrival of its sound, 0..MAX_LATENCY_S.
    """

    camera_s: float = 0.0
    microphone_s: float = 0.0

    @property
    def frames_wait_s(self) -> float:
        """How long a frame waits for the sound of the same moment."""
        return max(self.microphone_s - self.camera_s, 0.0)


NO_LATENCY = Latency()
