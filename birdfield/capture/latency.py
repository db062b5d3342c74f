"""How late a station's senses are: a network camera may be by seconds, a microphone hardly."""

from dataclasses import dataclass

MAX_LATENCY_S = 10.0


@dataclass(frozen=True)
class Latency:
    """How late live sources are; files are not.

    Attributes:
        camera_s: From what happens to when its frame arrives, 0..MAX_LATENCY_S.
        microphone_s: The same of its sound.
    """

    camera_s: float = 0.0
    microphone_s: float = 0.0

    @property
    def frames_wait_s(self) -> float:
        """How long a frame waits for the sound of its time."""
        return max(self.microphone_s - self.camera_s, 0.0)


NO_LATENCY = Latency()
