"""Command line with a wall clock that a file sets: python shifted_clock.py CLOCK_FILE ARGUMENTS...

CLOCK_FILE holds the seconds by which the wall clock is wrong. The longest pause before a lost
source is opened again is 4 s instead of 30 s, so that many losses fit into a test.
"""

import faulthandler
import signal
import sys
import time
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

LAST_RETRY_S = 4.0


def main() -> None:
    """Run the command line with the clock of a file."""
    from birdfield.capture import supervisor
    from birdfield.commands import app
    from birdfield.watch import scene_clock

    clock = Path(sys.argv[1])
    real_time = time.time

    def wrong_s() -> float:
        return float(clock.read_text() or 0) if clock.exists() else 0.0

    class Wall(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=wrong_s())

    vars(scene_clock)["datetime"] = Wall
    time.time = lambda: real_time() + wrong_s()
    supervisor.MAX_RETRY_S = LAST_RETRY_S
    faulthandler.register(signal.SIGUSR1)  # where its threads are, for a round that has failed
    sys.argv[1:] = sys.argv[2:]
    app.main()


if __name__ == "__main__":
    main()
