"""The doctor's look at a model: its files, and one inference where nothing can be lost."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from birdfield.doctor.findings import Finding
from birdfield.model.bundle import load_bundle
from birdfield.model.open_model import open_model
from birdfield.settings.resolve import ResolvedSettings

TIMEOUT_S = 120.0
SMALL = "efficientnet-lite0"  # the backbone that costs less
BRISK = 0.5  # of the time between two decisions: room for all else that a station does


def check_model(path: Path) -> Finding:
    """Check a bundle's files against its manifest.

    Raises:
        BirdfieldError: When they are not as they should be.
    """
    bundle = load_bundle(path)
    return Finding("model", "ok", f"{path}, {bundle.model_id}; every hash is right")


def check_species(choice: ResolvedSettings) -> Finding:
    """Check what the configuration says of a model's species.

    Raises:
        BirdfieldError: When it names others, or its checklist or names cannot be used.
    """
    species = open_model(choice.model).gallery.species
    choice.check(species)
    return Finding("species", "ok", f"{len(species)}; lists and names fit")


PROBE = (sys.executable, "-m", "birdfield.doctor.probe")


def check_inference(
    path: Path, command: Sequence[str] = PROBE, timeout_s: float = TIMEOUT_S
) -> list[Finding]:
    """Run one inference in a process of its own.

    Args:
        path: The bundle.
        command: What is run, with the bundle behind it.
        timeout_s: When it counts as hanging.

    Returns:
        Whether it ran, and how fast against real time.
    """
    try:
        done = subprocess.run(
            [*command, str(path)], capture_output=True, text=True, timeout=timeout_s
        )
    except subprocess.TimeoutExpired:
        return [
            Finding(
                "inference",
                "fail",
                f"took more than {timeout_s:g} s",
                "this machine is too slow, or its disk or memory is failing",
            )
        ]
    except OSError as error:
        return [
            Finding(
                "inference",
                "fail",
                f"{command[0]} cannot be run ({error.strerror})",
                "give this user the right to run it",
            )
        ]
    if done.returncode == -signal.SIGILL:
        return [
            Finding(
                "inference",
                "fail",
                "illegal instruction: the TFLite runtime uses what this processor does not have",
                "install another one: pip install "
                "'birdfield[tflite-runtime]', then set BIRDFIELD_RUNTIME=tflite-runtime",
            )
        ]
    if done.returncode < 0:
        return [
            Finding(
                "inference",
                "fail",
                f"was killed by {_name(-done.returncode)}",
                "free some memory, and install ai-edge-litert again",
            )
        ]
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return [
            Finding(
                "inference",
                "fail",
                last.partition(": ")[2] or last,
                "install birdfield again, or copy the bundle again",
            )
        ]
    told = json.loads(done.stdout)
    return [
        Finding("inference", "ok", "a picture and a sound went through"),
        speed(told["window_s"], told["step_s"], told["backbone"]),
    ]


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def speed(window_s: float, step_s: float, backbone: str | None) -> Finding:
    """Judge how fast a model is.

    Args:
        window_s: What the inference of a window takes.
        step_s: From one window to the next.
        backbone: Of its image tower, where its manifest tells.
    """
    found = f"a window takes {window_s:.2f} s, one comes each {step_s:.2g} s"
    if window_s < BRISK * step_s:
        return Finding("speed", "ok", found)
    todo = "set BIRDFIELD_THREADS to the number of cores, or stop other programs"
    if backbone != SMALL:
        todo += f"; or train with --image-backbone {SMALL}"
    return Finding("speed", "warn" if window_s < step_s else "fail", found, todo)
