"""Sound from the network, by RTSP or HTTP, read by PyAV where it is installed."""

import importlib
from typing import Any

import numpy as np

from birdfield.capture.camera import OPEN_TIMEOUT_S, READ_TIMEOUT_S
from birdfield.capture.sound_ring import SoundRing
from birdfield.capture.source import LiveSource
from birdfield.capture.supervisor import HANG_S, ReadAttempt, SourceSupervisor
from birdfield.errors import MissingError
from birdfield.redaction import mask_url
from birdfield.signals.audio import Resampler, Waveform, to_mono

RTSP = {"rtsp_transport": "tcp"}  # by UDP, lost packets are lost sound


def load_pyav() -> Any:
    """Import PyAV; raises MissingError when it is not installed."""
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise MissingError(
            "a microphone in the network needs the package PyAV; "
            "run: pip install 'birdfield[network]'"
        ) from error


class NetworkMicrophone(LiveSource):
    """Sound of a URL, read under a watchdog and reconnected when lost; a Microphone.

    A window is late by the network's and the camera's latency.
    """

    overruns = 0  # the sender would tell of what it drops, if anybody

    def __init__(self, url: str, rate_hz: int) -> None:
        """Start reading; raises MissingError when PyAV is not installed."""
        self.name = mask_url(url)
        self._url, self._rate_hz = url, rate_hz
        self._av = load_pyav()
        self._ring = SoundRing(rate_hz)
        self._watchdog = SourceSupervisor("microphone", self.name, self._read, HANG_S)

    def _read(self, turn: ReadAttempt) -> str:
        self._ring.clear()
        options = RTSP if self._url.startswith("rtsp") else {}
        try:
            with self._av.open(
                self._url, timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S), options=options
            ) as container:
                if not container.streams.audio:
                    return "sends no sound"
                self._listen(container, turn)
            return "gives no more sound"
        except (OSError, ValueError) as error:  # its whole text may hold the URL
            return f"cannot be read ({getattr(error, 'strerror', None) or type(error).__name__})"

    def _listen(self, container: Any, turn: ReadAttempt) -> None:
        plain = self._av.AudioResampler(format="fltp")  # of samples only, not of their rate
        resampler = None
        for frame in container.decode(audio=0):
            turn.beat()
            if turn.over:
                return
            for part in plain.resample(frame):
                resampler = resampler or Resampler(part.sample_rate, self._rate_hz)
                self._ring.push(resampler.push(to_mono(np.ascontiguousarray(part.to_ndarray().T))))
                self._watchdog.outage.working()

    def window(self, start_s: float, end_s: float) -> Waveform | None:
        """Return the sound of [start_s, end_s) of time.monotonic(), as `SoundRing.window` does."""
        return self._ring.window(start_s, end_s)
