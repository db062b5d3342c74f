"""Reloads: reloads the configuration of a watch under load, and measures the time of decisions.

Run: PYTHONPATH=tests/support python tests/faults/reloads.py COUNT MODEL

Each reload is by SIGHUP, and every fifth file is malformed. Prints a line of JSON, and exits with 1
when two decisions were further apart than the length of a window.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from network_cameras import mjpeg_camera

from birdfield.model.audio_specs import YAMNET

PROGRAM = Path(sys.executable).with_name("birdfield")
BUSY_LOOP = "while True: pass"
ACCEPTED, REFUSED = "configuration read again", "CONFIGURATION REFUSED"
PAUSE_S = 0.1  # after each reload


@dataclass(frozen=True)
class ReloadFigures:
    """The results of reloads.

    Attributes:
        reloads: The number of reloads.
        accepted: The number of reloads that took effect.
        refused: The number of malformed files that changed nothing.
        decisions: The number of decisions during the reloads.
        in_force: Whether the last configuration was in force at the end.
        longest_gap_s: The longest time between two decisions.
    """

    reloads: int
    accepted: int
    refused: int
    decisions: int
    in_force: bool
    longest_gap_s: float


def reload_often(
    model: Path, folder: Path, count: int, load: int = os.cpu_count() or 1
) -> ReloadFigures:
    """Watch a network camera, and reload the configuration; the last one excludes every answer.

    Args:
        model: A bundle.
        folder: The folder for the configuration and the journal.
        count: The number of reloads.
        load: The number of processes that each keep a core busy.
    """
    config = folder / "birdfield.toml"
    config.write_text("")
    busy_processes = [subprocess.Popen([sys.executable, "-c", BUSY_LOOP]) for _ in range(load)]
    try:
        with mjpeg_camera(visits=True) as port:  # something moves in each window
            command: list[str | Path] = [
                PROGRAM,
                "watch",
                "--model",
                model,
                "--camera",
                f"http://127.0.0.1:{port}/",
                "--microphone",
                "none",
                "--config",
                config,
                "--json",
                "--journal",
                folder / "j",
            ]
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            ) as watch:
                try:
                    return _measure(watch, config, count)
                finally:
                    watch.terminate()
    finally:
        for process in busy_processes:
            process.kill()
            process.wait()


class _OutputReader(threading.Thread):
    """Reads the output of a watch, and records when each line came."""

    def __init__(self, watch: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self.decisions: list[tuple[float, bool]] = []
        self.counts: Counter[str] = Counter()
        self.changed = threading.Condition()
        self._watch = watch
        self.log = threading.Thread(target=self._read_log, daemon=True)
        self.log.start()

    def run(self) -> None:
        assert self._watch.stdout is not None
        for line in self._watch.stdout:
            with self.changed:
                self.decisions.append((time.monotonic(), json.loads(line)["unknown"]))
                self.changed.notify_all()

    def _read_log(self) -> None:
        assert self._watch.stderr is not None
        for line in self._watch.stderr:
            with self.changed:
                self.counts.update(words for words in (ACCEPTED, REFUSED) if words in line)
                self.changed.notify_all()

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait for a condition on the output; fail after a minute."""
        with self.changed:
            assert self.changed.wait_for(condition, 60), f"waited in vain for {what}"

    def wait_reloads(self, count: int) -> None:
        """Wait until the log has this many reloads."""
        self.wait(lambda: self.counts.total() >= count, f"reload {count}")


def _measure(watch: subprocess.Popen[str], config: Path, count: int) -> ReloadFigures:
    output = _OutputReader(watch)
    output.start()
    output.wait(lambda: output.decisions, "the first decision")
    began = len(output.decisions) - 1
    for number in range(count):
        last = number == count - 1
        broken = number % 5 == 4 and not last
        draft = config.with_suffix(".new")
        draft.write_text(
            "[species]\nthreshold = 'high'"
            if broken
            else f"[species]\nthreshold = {1.0 if last else 0.001 * (number % 100)}\n"
        )
        draft.replace(config)
        watch.send_signal(signal.SIGHUP)
        output.wait_reloads(number + 1)
        time.sleep(PAUSE_S)
    done = len(output.decisions)
    # One window may have been decided before the last reload; the second one was not.
    output.wait(lambda: len(output.decisions) >= done + 2, "two more decisions")
    times = [at for at, _ in output.decisions[began:]]
    return ReloadFigures(
        reloads=count,
        accepted=output.counts[ACCEPTED],
        refused=output.counts[REFUSED],
        decisions=len(times),
        in_force=output.decisions[-1][1],
        longest_gap_s=round(max(b - a for a, b in zip(times, times[1:], strict=False)), 2),
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 500
        measured = reload_often(Path(sys.argv[2]), Path(place), wanted)
    print(json.dumps(asdict(measured)))
    sys.exit(measured.longest_gap_s > YAMNET.window_s or not measured.in_force)
