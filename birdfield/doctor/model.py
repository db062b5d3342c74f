"""Model checks: the files of a bundle, the configured species, and one inference."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from birdfield.doctor.findings import Finding
from birdfield.doctor.probe import ProbeResult
from birdfield.model.bundle import load_bundle
from birdfield.model.open_model import open_model
from birdfield.settings.resolve import ResolvedSettings

PROBE = (sys.executable, "-m", "birdfield.doctor.probe")
TIMEOUT_S = 120.0
FAST_BACKBONE = "efficientnet-lite0"
COMFORTABLE_SHARE = 0.5  # of the time between two windows; a station also does other work


def check_model(path: Path) -> Finding:
    """Check the files of a bundle against its manifest.

    Raises:
        BirdfieldError: When a file is missing or differs.
    """
    bundle = load_bundle(path)
    return Finding("model", "ok", f"{path}, {bundle.model_id}; all hashes match")


def check_species(choice: ResolvedSettings) -> Finding:
    """Check the species that the configuration names.

    Raises:
        BirdfieldError: When the model lacks one, or the checklist or the names are unusable.
    """
    species = open_model(choice.model).gallery.species
    choice.check(species)
    return Finding("species", "ok", f"{len(species)}; the lists and names match")


def check_inference(
    path: Path, command: Sequence[str] = PROBE, timeout_s: float = TIMEOUT_S
) -> list[Finding]:
    """Run inferences in a separate process, since a wrong TFLite runtime kills its process.

    Args:
        path: The bundle.
        command: The program to run with the bundle as its argument.
        timeout_s: The longest time for the process.

    Returns:
        Whether it ran, and its speed.
    """
    try:
        done = subprocess.run(
            [*command, str(path)], capture_output=True, text=True, timeout=timeout_s
        )
    except subprocess.TimeoutExpired:
        return [
            _failure(
                f"took more than {timeout_s:g} s",
                "this machine is too slow, or its disk or memory is failing",
            )
        ]
    except OSError as error:
        return [
            _failure(f"{command[0]} cannot be run ({error.strerror})", "allow this user to run it")
        ]
    if done.returncode:
        return [_explain_exit(done.returncode, done.stderr)]
    return [
        Finding("inference", "ok", "a picture and a sound were embedded"),
        check_speed(ProbeResult(**json.loads(done.stdout))),
    ]


def _failure(found: str, todo: str) -> Finding:
    return Finding("inference", "fail", found, todo)


def _explain_exit(code: int, stderr: str) -> Finding:
    if code == -signal.SIGILL:
        return _failure(
            "illegal instruction: the TFLite runtime needs another processor",
            "install another runtime: pip install 'birdfield[tflite-runtime]', then set "
            "BIRDFIELD_RUNTIME=tflite-runtime",
        )
    if code < 0:
        return _failure(
            f"was killed by {_signal_name(-code)}",
            "free some memory, and install ai-edge-litert again",
        )
    last = (stderr.strip().splitlines() or ["no message"])[-1]
    return _failure(
        last.partition(": ")[2] or last, "install birdfield again, or copy the bundle again"
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def check_speed(result: ProbeResult) -> Finding:
    """Check that inference keeps up with the windows."""
    found = f"a window takes {result.window_s:.2f} s; there is one every {result.step_s:.2g} s"
    if result.window_s < COMFORTABLE_SHARE * result.step_s:
        return Finding("speed", "ok", found)
    todo = "set BIRDFIELD_THREADS to the number of cores, or stop other programs"
    if result.backbone != FAST_BACKBONE:
        todo += f"; or train a model with the image backbone {FAST_BACKBONE}"
    return Finding("speed", "warn" if result.window_s < result.step_s else "fail", found, todo)
