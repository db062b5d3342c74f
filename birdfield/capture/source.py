"""What cameras and microphones have in common, as `watch` knows them."""

import math
from typing import Protocol

from birdfield.capture.supervisor import SourceSupervisor


class Source(Protocol):
    """What is seen or heard; a file's clock starts at 0, a live one's is time.monotonic()."""

    name: str
    live: bool

    @property
    def ended(self) -> bool:
        """Whether all of a file has been asked for; never of a live source."""

    @property
    def end_s(self) -> float:
        """Where a file ends, once it has ended; infinity for a live source."""

    @property
    def loss(self) -> str | None:
        """How a live source was lost, as its watchdog knows; None while it does not."""

    def close(self) -> None:
        """Release the source."""


class LiveSource:
    """A device, or something of the network, that a watchdog reads until it is closed."""

    live = True
    ended = False
    end_s = math.inf
    _watchdog: SourceSupervisor  # which reads from when it is made: the last that a source sets up

    @property
    def loss(self) -> str | None:
        """How it was lost; None while it is not, or it is not yet known to be."""
        return self._watchdog.outage.reason

    def close(self) -> None:
        """Stop reading; a thread that hangs in the source is left to end by itself."""
        self._watchdog.close()
