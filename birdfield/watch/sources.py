"""Sources: the camera and the microphone of a scene, with their latency."""

from dataclasses import dataclass

from birdfield.capture.camera import Camera
from birdfield.capture.latency import NO_LATENCY, Latency
from birdfield.capture.microphone import Microphone
from birdfield.capture.source import Source
from birdfield.errors import UsageError


@dataclass(frozen=True)
class SourceInfo:
    """The sources of a scene as the journal and the status file name them.

    Attributes:
        camera: The name of the camera; None without one.
        microphone: The name of the microphone; None without one.
        live: Whether a source is live, so that scene time follows the clocks.
        latency: The latency of the live sources.
    """

    camera: str | None
    microphone: str | None
    live: bool = True
    latency: Latency = NO_LATENCY


@dataclass(frozen=True)
class Sources:
    """A camera, a microphone, or both.

    Attributes:
        camera: The source of frames, or None.
        microphone: The source of sound, or None.
        latency: The latency of the sources, as far as they are live.
    """

    camera: Camera | None
    microphone: Microphone | None
    latency: Latency = NO_LATENCY

    @property
    def each(self) -> tuple[Source, ...]:
        """The sources that there are."""
        return tuple(source for source in (self.camera, self.microphone) if source is not None)

    @property
    def live(self) -> bool:
        """Whether a source is live."""
        return any(source.live for source in self.each)

    @property
    def ended(self) -> bool:
        """Whether all sources have ended."""
        return all(source.ended for source in self.each)

    @property
    def end_s(self) -> float:
        """The end of the longest source, in seconds of the scene."""
        return max(source.end_s for source in self.each)

    @property
    def camera_latency_s(self) -> float:
        """The latency of the camera; 0 for a file."""
        return self.latency.camera_s if self.camera and self.camera.live else 0.0

    @property
    def microphone_latency_s(self) -> float:
        """The latency of the microphone; 0 for a file."""
        return self.latency.microphone_s if self.microphone and self.microphone.live else 0.0

    @property
    def info(self) -> SourceInfo:
        """The names of the sources, with what else a journal stores of them."""
        return SourceInfo(
            self.camera.name if self.camera else None,
            self.microphone.name if self.microphone else None,
            self.live,
            self.latency,
        )


def check_any_source(camera: bool, microphone: bool) -> None:
    """Check that there is a source.

    Raises:
        UsageError: If there is neither a camera nor a microphone.
    """
    if not (camera or microphone):
        raise UsageError("there is neither a camera nor a microphone; name one of them")
