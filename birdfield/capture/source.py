"""Source: the interface that cameras and microphones share."""

import math
from typing import Protocol

from birdfield.capture.supervisor import SourceSupervisor

OPEN_TIMEOUT_S = 10  # of a source on the network
READ_TIMEOUT_S = 5  # a source that delivers nothing for this long is lost


class Source(Protocol):
    """A camera or a microphone, live or from a file.

    A file's time starts at 0; a live source's time is time.monotonic().

    Attributes:
        name: The source's name, without a password.
        live: Whether it is a live source.
    """

    name: str
    live: bool

    @property
    def defects(self) -> int:
        """How many frames, or blocks of sound, could not be used and were left out."""

    @property
    def ended(self) -> bool:
        """Whether the caller has read a file to its end; always False for a live source."""

    @property
    def end_s(self) -> float:
        """The end of a file that has ended; infinity for a live source."""

    @property
    def loss(self) -> str | None:
        """Why a live source is lost; None while it works."""

    def close(self) -> None:
        """Release the source."""


class LiveSource:
    """A device or a network source, which a supervisor reads until it is closed."""

    live = True
    ended = False
    end_s = math.inf
    _supervisor: SourceSupervisor  # starts to read when made: subclasses create it last

    @property
    def defects(self) -> int:
        """How many frames, or blocks of sound, could not be used and were left out."""
        return 0

    @property
    def loss(self) -> str | None:
        """Why the source is lost; None while it works, and until a loss is noticed."""
        return self._supervisor.outage.reason

    def close(self) -> None:
        """Stop reading; a thread that hangs in the source ends by itself."""
        self._supervisor.close()
