"""Shifted clock: runs birdfield with a wall clock that a file sets.

Run: python shifted_clock.py CLOCK_FILE ARGUMENTS...

CLOCK_FILE holds the error of the wall clock in seconds. A lost source is opened again after 4 s at
most instead of 30 s, so that many losses fit into a test.
"""

import faulthandler
import signal
import sys
import time
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

MAX_RETRY_S = 4.0


def main() -> None:
    """Run birdfield with the clock of a file."""
    from birdfield.capture import supervisor
    from birdfield.commands import app
    from birdfield.watch import scene_clock

    clock = Path(sys.argv[1])
    real_time = time.time

    def error_s() -> float:
        return float(clock.read_text() or 0) if clock.exists() else 0.0

    class ShiftedDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=error_s())

    vars(scene_clock)["datetime"] = ShiftedDatetime
    time.time = lambda: real_time() + error_s()
    supervisor.MAX_RETRY_S = MAX_RETRY_S
    faulthandler.register(signal.SIGUSR1)  # prints the stacks after a fault
    sys.argv[1:] = sys.argv[2:]
    app.main()


if __name__ == "__main__":
    main()
