"""Faults: runs every fault, many times, against a real station.

Run: PYTHONPATH=tests/support python tests/faults/faults.py BUNDLE [NAME...]

BUNDLE is a model of the toy aviary, as `tools/toy_bundle.py` makes it. Several faults run at once,
each with its own station, because they mostly wait. Prints a line for each fault, and exits with 1
when one failed.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from tempfile import TemporaryDirectory

import fault_rounds as rounds
import pytest
from huge_pictures import send_huge_pictures

FAULTS = {
    "camera dies": (rounds.kill_camera, 20),
    "microphone dies": (rounds.kill_microphone, 20),
    "network sound dies": (rounds.kill_network_sound, 20),
    "sound spoilt": (rounds.spoil_sound, 2),
    "both die": (rounds.kill_both, 5),
    "read blocks": (rounds.block_read, 1),
    "disk full": (rounds.fill_disk, 3),
    "writer killed": (rounds.kill_writer, 300),
    "clock jumps": (rounds.set_clock, 3),
    "model damaged": (rounds.damage_model, 2),
    "huge pictures": (send_huge_pictures, 1),
}

PARALLEL = 3


def run(name: str, bundle: Path) -> tuple[bool, str]:
    """Run a fault; return whether the station passed, and the line to print."""
    round_, times = FAULTS[name]
    started_s, passed = time.monotonic(), True
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            result = round_(Path(folder), bundle, times)
        except (AssertionError, pytest.fail.Exception, pytest.skip.Exception) as error:
            result, passed = f"FAILED: {error}", False
    return passed, f"{name:18} {time.monotonic() - started_s:5.0f} s  {result}"


def main() -> int:
    """Run the faults that the arguments name, or all; return the exit code."""
    bundle = Path(sys.argv[1]).resolve()
    started_s, all_passed = time.monotonic(), True
    with ThreadPoolExecutor(PARALLEL) as pool:
        for done in as_completed(
            [pool.submit(run, name, bundle) for name in sys.argv[2:] or FAULTS]
        ):
            passed, line = done.result()
            all_passed = all_passed and passed
            print(line, flush=True)
    print(
        f"{'all faults passed' if all_passed else 'some faults FAILED'}, "
        f"after {time.monotonic() - started_s:.0f} s"
    )
    return int(not all_passed)


if __name__ == "__main__":
    sys.exit(main())
