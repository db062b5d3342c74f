"""Every fault, as often as a station is to stand it: python tests/faults.py BUNDLE [NAME...].

BUNDLE is of the toy aviary, as `tools/toy_bundle.py` makes it. Prints a line for each; exits 1
when one failed.
"""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import fault_rounds as rounds
import pytest

FAULTS = {
    "camera dies": (rounds.camera_dies, 20),
    "microphone dies": (rounds.microphone_dies, 20),
    "both die": (rounds.both_die, 5),
    "read blocks": (rounds.read_blocks, 1),
    "disk full": (rounds.disk_is_full, 3),
    "writer killed": (rounds.writer_is_killed, 300),
    "clock jumps": (rounds.clock_jumps, 3),
    "model damaged": (rounds.model_is_damaged, 2),
}


def main() -> int:
    """Run those that are named, or all; returns the exit code."""
    bundle = Path(sys.argv[1]).resolve()
    wanted = sys.argv[2:] or list(FAULTS)
    failed = False
    for name in wanted:
        round_, times = FAULTS[name]
        started_s = time.monotonic()
        with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            try:
                figure = round_(Path(folder), bundle, times)
            except (AssertionError, pytest.fail.Exception, pytest.skip.Exception) as error:
                figure, failed = f"FAILED: {error}", True
        print(f"{name:16} {time.monotonic() - started_s:5.0f} s  {figure}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
