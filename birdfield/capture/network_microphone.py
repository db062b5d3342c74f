"""Network microphone: sound by RTSP or HTTP, read by PyAV where that package is installed."""

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Protocol

import numpy as np

from birdfield.capture.live_sound import LiveSound
from birdfield.capture.source import OPEN_TIMEOUT_S, READ_TIMEOUT_S
from birdfield.capture.supervisor import HANG_S, ReadAttempt, SourceSupervisor
from birdfield.errors import MissingError
from birdfield.redaction import mask_url
from birdfield.signals.audio import Resampler, to_mono

RTSP_OPTIONS = {"rtsp_transport": "tcp"}  # with UDP, each lost packet is lost sound


def load_pyav() -> ModuleType:
    """Import PyAV; raises MissingError when it is not installed."""
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise MissingError(
            "a network microphone needs the package PyAV; run: pip install 'birdfield[network]'"
        ) from error


class _Container(Protocol):
    """The method of a PyAV container that birdfield uses."""

    def decode(self, *, audio: int) -> Iterator[object]:
        """Decode the frames of an audio stream."""


class NetworkMicrophone(LiveSound):
    """The sound of a URL; a Microphone.

    A window is late by the latency of the network and of the sender.

    Attributes:
        name: The URL, without a password.
        overruns: Always 0: the sender does not report what it drops.
    """

    overruns = 0

    def __init__(self, url: str, rate_hz: int) -> None:
        """Start reading.

        Args:
            url: An RTSP or HTTP URL.
            rate_hz: The sample rate of the windows.

        Raises:
            MissingError: When PyAV is not installed.
        """
        super().__init__(rate_hz)
        self.name = mask_url(url)
        self._url = url
        self._av = load_pyav()
        self._supervisor = SourceSupervisor("microphone", self.name, self._read, HANG_S)

    def _read(self, attempt: ReadAttempt) -> str:
        """Read the URL until it is lost; return why."""
        self._ring.clear()
        options = RTSP_OPTIONS if self._url.startswith("rtsp") else {}
        try:
            with self._av.open(
                self._url, timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S), options=options
            ) as container:
                if not container.streams.audio:
                    return "sends no sound"
                self._read_sound(container, attempt)
            return "sends no more sound"
        except self._av.error.ExitError:
            return f"sent nothing for {READ_TIMEOUT_S:g} s"
        except (OSError, ValueError, self._av.error.FFmpegError) as error:
            # Not its whole text, which contains the URL.
            return f"cannot be read ({getattr(error, 'strerror', None) or type(error).__name__})"

    def _read_sound(self, container: _Container, attempt: ReadAttempt) -> None:
        to_planar = self._av.AudioResampler(format="fltp")  # float32, and the rate as it is
        resampler = None
        for frame in container.decode(audio=0):
            attempt.tick()
            if attempt.cancelled:
                return
            for part in to_planar.resample(frame):
                resampler = resampler or Resampler(part.sample_rate, self._rate_hz)
                block = self._guard.check(np.ascontiguousarray(part.to_ndarray().T))
                self._ring.push(resampler.push(to_mono(block)))
                self._supervisor.outage.report_recovery()
