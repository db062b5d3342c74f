"""Liveness: a monitor that does not end the process of the tests."""

import os
from pathlib import Path

from birdfield.service.liveness import LivenessMonitor
from birdfield.service.process import start_ticks
from birdfield.service.sd_notify import Notifier
from birdfield.service.status import initial_status
from birdfield.watch.sources import SourceInfo


def start_monitor(
    folder: Path, timeout_s: float | None = None, aborts: list[int] | None = None
) -> LivenessMonitor:
    """Start a monitor of this process that adds to `aborts` instead of ending it."""
    pid = os.getpid()
    sources = SourceInfo("rtsp://***@h/", "ear")
    status = initial_status("a1b2", sources, None, pid, start_ticks(pid))

    def abort() -> None:
        if aborts is not None:
            aborts.append(1)

    return LivenessMonitor(Notifier(None), folder, status, timeout_s, abort)
