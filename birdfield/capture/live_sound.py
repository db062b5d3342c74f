"""Live sound: what a device and a network microphone share."""

from birdfield.capture.sample_guard import SampleGuard
from birdfield.capture.sound_ring import SoundRing
from birdfield.capture.source import LiveSource
from birdfield.signals.audio import Waveform


class LiveSound(LiveSource):
    """A live microphone, whose last seconds of sound are in a ring."""

    def __init__(self, rate_hz: int) -> None:
        """Start with no sound; a subclass then starts its supervisor."""
        self._rate_hz = rate_hz
        self._ring, self._guard = SoundRing(rate_hz), SampleGuard()

    @property
    def defects(self) -> int:
        """How many blocks of sound were no sound."""
        return self._guard.refused

    def window(self, start_s: float, end_s: float) -> Waveform | None:
        """Return the sound of [start_s, end_s), as `SoundRing.window` does."""
        return self._ring.window(start_s, end_s)
