"""Every fault, as often as a station is to stand it: python tests/faults.py BUNDLE [NAME...].

BUNDLE is of the toy aviary, as `tools/toy_bundle.py` makes it. Several are under way at once, each
with a station of its own, as they mostly wait. Prints a line for each; exits 1 when one failed.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from tempfile import TemporaryDirectory

import fault_rounds as rounds
import pytest

FAULTS = {
    "camera dies": (rounds.camera_dies, 20),
    "microphone dies": (rounds.microphone_dies, 20),
    "network sound dies": (rounds.network_sound_dies, 20),
    "both die": (rounds.both_die, 5),
    "read blocks": (rounds.read_blocks, 1),
    "disk full": (rounds.disk_is_full, 3),
    "writer killed": (rounds.writer_is_killed, 300),
    "clock jumps": (rounds.clock_jumps, 3),
    "model damaged": (rounds.model_is_damaged, 2),
}

AT_ONCE = 3


def run(name: str, bundle: Path) -> tuple[bool, str]:
    """Run a fault; returns whether all was as it should be, and the line for it."""
    round_, times = FAULTS[name]
    started_s, good = time.monotonic(), True
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            figure = round_(Path(folder), bundle, times)
        except (AssertionError, pytest.fail.Exception, pytest.skip.Exception) as error:
            figure, good = f"FAILED: {error}", False
    return good, f"{name:18} {time.monotonic() - started_s:5.0f} s  {figure}"


def main() -> int:
    """Run those that are named, or all; returns the exit code."""
    bundle = Path(sys.argv[1]).resolve()
    started_s, all_good = time.monotonic(), True
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in as_completed(
            [pool.submit(run, name, bundle) for name in sys.argv[2:] or FAULTS]
        ):
            good, line = done.result()
            all_good = all_good and good
            print(line, flush=True)
    print(
        f"{'as it should be' if all_good else 'NOT as it should be'}, "
        f"after {time.monotonic() - started_s:.0f} s"
    )
    return int(not all_good)


if __name__ == "__main__":
    sys.exit(main())
