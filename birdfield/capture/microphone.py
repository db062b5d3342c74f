"""Microphone: the interface of sound devices, network sound and sound files."""

from pathlib import Path
from typing import Protocol

from birdfield.capture.audio_file import AudioFile
from birdfield.capture.live_microphone import LiveMicrophone
from birdfield.capture.network_microphone import NetworkMicrophone
from birdfield.capture.source import Source
from birdfield.signals.audio import AUDIO_SUFFIXES, Waveform


class Microphone(Source, Protocol):
    """A source of sound at one sample rate."""

    @property
    def overruns(self) -> int:
        """How many times the sound system dropped sound because it was not read in time."""

    def window(self, start_s: float, end_s: float) -> Waveform | None:
        """Return the sound of [start_s, end_s); None when there is less than MIN_WINDOW_S of it.

        The starts of successive calls must not decrease.
        """


def open_microphone(spec: str, rate_hz: int) -> Microphone | None:
    """Open the microphone that a user named.

    Args:
        spec: "none", a sound file, "default", a URL, or an input device's number or name.
        rate_hz: The sample rate of the windows.

    Returns:
        An AudioFile, a NetworkMicrophone or a LiveMicrophone, or None for "none".

    Raises:
        InputError: When a sound file cannot be read.
        MissingError: When the spec is a device and PortAudio is not installed, or a URL and PyAV
            is not installed.
    """
    if spec == "none":
        return None
    if "://" in spec:
        return NetworkMicrophone(spec, rate_hz)
    if is_sound_file(spec):
        return AudioFile(Path(spec), rate_hz)
    return LiveMicrophone(spec, rate_hz)


def is_sound_file(spec: str) -> bool:
    """Return whether a microphone that a user named is a sound file."""
    path = Path(spec)
    return "://" not in spec and (path.suffix.lower() in AUDIO_SUFFIXES or path.is_file())
