"""Reload a watch's configuration many times under load, and measure the gaps in its decisions.

    python tests/reloads.py [COUNT] [MODEL]

Each reload is by SIGHUP, is waited for, and every fifth file is broken. Prints a line of JSON, and
fails when two decisions were further apart than a window is long.
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
from pathlib import Path
from typing import Any

from network_cameras import mjpeg_camera

from birdfield.model.audio_specs import YAMNET

PROGRAM = Path(sys.executable).with_name("birdfield")
BURN = "while True: pass"
TAKEN, REFUSED = "configuration read again", "CONFIGURATION REFUSED"
PAUSE_S = 0.1  # at least, from one reload to the next


def reload_often(
    model: Path, folder: Path, count: int, load: int = os.cpu_count() or 1
) -> dict[str, Any]:
    """Watch a network camera, reload count times, then forbid every answer.

    Args:
        model: A bundle.
        folder: For the configuration and the journal.
        count: Of reloads.
        load: Of processes that do nothing but keep a core busy.

    Returns:
        How many reloads were taken and refused, how many decisions were made meanwhile, the
        longest time between two, and whether the last file was obeyed.
    """
    config = folder / "birdfield.toml"
    config.write_text("")
    burners = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(load)]
    try:
        with mjpeg_camera(visits=True) as port:  # in each window something moves
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
        for burner in burners:
            burner.kill()
            burner.wait()


class _Follower(threading.Thread):
    """Reads a watch's output, and notes when it came."""

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
                self.counts.update(words for words in (TAKEN, REFUSED) if words in line)
                self.changed.notify_all()

    def wait(self, condition: Any, what: str) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, 60), f"waited in vain for {what}"


def _measure(watch: subprocess.Popen[str], config: Path, count: int) -> dict[str, Any]:
    follower = _Follower(watch)
    follower.start()
    follower.wait(lambda: follower.decisions, "the first decision")
    began = len(follower.decisions) - 1
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
        before = follower.counts.total()
        watch.send_signal(signal.SIGHUP)
        follower.wait(lambda before=before: follower.counts.total() > before, "a reload")
        time.sleep(PAUSE_S)
    done = len(follower.decisions)
    # A window is pooled before it is told: the second from now on is by the last rules alone.
    follower.wait(lambda: len(follower.decisions) >= done + 2, "two decisions more")
    times = [at for at, _ in follower.decisions[began:]]
    return {
        "reloads": count,
        "taken": follower.counts[TAKEN],
        "refused": follower.counts[REFUSED],
        "decisions": len(times),
        "obeyed": follower.decisions[-1][1],
        "longest_gap_s": round(max(b - a for a, b in zip(times, times[1:], strict=False)), 2),
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 500
        measured = reload_often(Path(sys.argv[2]), Path(place), wanted)
    print(json.dumps(measured))
    sys.exit(measured["longest_gap_s"] > YAMNET.window_s or not measured["obeyed"])
