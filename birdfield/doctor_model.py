"""The doctor's look at a model: its files, and one inference where nothing can be lost."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from birdfield.bundle import load_bundle
from birdfield.findings import Finding
from birdfield.watch import DECISION_S

TIMEOUT_S = 120.0
BRISK = 0.5  # of the time between two decisions: room for all else that a station does


def check_model(path: Path) -> Finding:
    """Check a bundle's files against its manifest.

    Raises:
        BirdfieldError: When they are not as they should be.
    """
    bundle = load_bundle(path)
    return Finding("model", "ok", f"{path}, {bundle.model_id}; every hash is right")


def check_inference(path: Path, command: Sequence[str] = (sys.executable, "-m", "birdfield.probe"),
                    timeout_s: float = TIMEOUT_S) -> list[Finding]:
    """Run one inference in a process of its own.

    Args:
        path: The bundle.
        command: What is run, with the bundle behind it.
        timeout_s: When it counts as hanging.

    Returns:
        Whether it ran, and how fast against real time.
    """
    try:
        done = subprocess.run([*command, str(path)], capture_output=True, text=True,
                              timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return [Finding("inference", "fail", f"took more than {timeout_s:g} s",
                        "this machine is too slow, or its disk or memory is failing")]
    except OSError as error:
        return [Finding("inference", "fail", f"{command[0]} cannot be run ({error.strerror})",
                        "give this user the right to run it")]
    if done.returncode == -signal.SIGILL:
        return [Finding("inference", "fail", "illegal instruction: the TFLite runtime uses what "
                        "this processor does not have", "install another one: pip install "
                        "'birdfield[tflite-runtime]', then set BIRDFIELD_RUNTIME=tflite-runtime")]
    if done.returncode < 0:
        return [Finding("inference", "fail", f"was killed by {_name(-done.returncode)}",
                        "free some memory, and install ai-edge-litert again")]
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return [Finding("inference", "fail", last.partition(": ")[2] or last,
                        "install birdfield again, or copy the bundle again")]
    window_s = float(json.loads(done.stdout)["window_s"])
    return [Finding("inference", "ok", "a picture and a sound went through"), _speed(window_s)]


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _speed(window_s: float) -> Finding:
    found = f"a window takes {window_s:.2f} s, one comes each {DECISION_S:g} s"
    if window_s < BRISK * DECISION_S:
        return Finding("speed", "ok", found)
    state = "warn" if window_s < DECISION_S else "fail"
    return Finding("speed", state, found, "set BIRDFIELD_THREADS to the number of cores, stop "
                   "other programs, or train with --image-backbone efficientnet-lite0")
