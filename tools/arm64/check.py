"""Check: compares birdfield on arm64 with this machine: python tools/arm64/check.py.

Installs the wheel of `make wheel` in each root of tools/arm64/roots.py, runs `birdfield identify`
there on toy birds, and exits with 1 when embeddings or decisions differ from those of this machine.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from install import TOY, download_wheels, fill_exchange, install
from roots import ROOTS, arm64_folder, check_machine, ensure_root, run_in_root, say

from birdfield.paths import STARTER

LEAST_COSINE = 0.999
RUNTIME = "ai-edge-litert"
# The older runtime may fail: it has no wheel for a Python after 3.11.
OPTIONAL_RUNTIME = "tflite-runtime"
RUNS = (*((root, RUNTIME) for root in ROOTS), (ROOTS[0], OPTIONAL_RUNTIME))
DECISION = ("species", "unknown", "senses", "agreement", "start_s")


@dataclass(frozen=True)
class Answers:
    """The answers of one machine for all files, by one model.

    Attributes:
        embeddings: The object that tools/arm64/answers.py prints.
        decisions: The entries that `birdfield identify --json` prints.
        seconds: Duration of `birdfield identify`.
    """

    embeddings: dict[str, Any]
    decisions: list[dict[str, Any]]
    seconds: float


def commands(model: str | None, files: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the arguments of answers.py and of birdfield, in the exchange folder."""
    pair = ["--image", files[0], "--audio", next(name for name in files if name.endswith("wav"))]
    named = ["--model", model] if model else []
    return ["answers.py", model or STARTER.name, *files], [
        "identify",
        "--json",
        *named,
        *pair,
        *files,
    ]


def ask_here(exchange: Path, model: str | None, files: Sequence[str]) -> Answers:
    """Return the answers of this machine."""
    embed, identify = commands(model, files)
    cli = ["-m", "birdfield"]
    environment = {
        **os.environ,
        "XDG_DATA_HOME": str(exchange / "data"),
    }  # no enrolled species

    def run(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=exchange,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            env=environment,
        ).stdout

    return _answers(lambda: run(*embed), lambda: run(*cli, *identify))


def ask_root(
    folder: Path,
    binaries: str,
    runtime: str,
    exchange: Path,
    model: str | None,
    files: Sequence[str],
) -> Answers:
    """Return the answers of a root."""
    embed, identify = commands(model, files)
    environment = {"BIRDFIELD_RUNTIME": runtime}

    def run(*command: str) -> str:
        return run_in_root(folder, exchange, command, environment)

    return _answers(
        lambda: run(f"{binaries}/python", *embed), lambda: run(f"{binaries}/birdfield", *identify)
    )


def _answers(embed: Callable[[], str], identify: Callable[[], str]) -> Answers:
    embeddings = json.loads(embed())
    begun_s = time.monotonic()
    lines = identify().splitlines()
    return Answers(embeddings, [json.loads(line) for line in lines], time.monotonic() - begun_s)


def compare(model: str, here: Answers, there: Answers) -> bool:
    """Print how two machines agree; return whether they agree enough."""
    pairs = list(zip(here.embeddings["rows"], there.embeddings["rows"], strict=True))
    cosines = {
        tower: [
            float(np.dot(one["vector"], other["vector"]))
            for one, other in pairs
            if one["tower"] == tower
        ]
        for tower in ("image", "audio", "fusion")
    }
    decisions = list(zip(here.decisions, there.decisions, strict=True))
    same = [all(one[key] == other[key] for key in DECISION) for one, other in decisions]
    farthest = max(abs(one["score"] - other["score"]) for one, other in decisions)
    made = there.embeddings
    say(
        f"{made['machine']}, Python {made['python']}, {made['runtime']}, NumPy {made['numpy']}, "
        f"{model}: cosine to x86-64 (mean, least of n) "
        + "; ".join(
            f"{tower} {np.mean(values):.6f}, {min(values):.6f} of {len(values)}"
            for tower, values in cosines.items()
        )
        + f"; {sum(same)} of {len(same)} decisions the same, scores within {farthest:.4f}; "
        f"identify took {there.seconds:.1f} s, {here.seconds:.1f} s here"
    )
    return all(same) and min(min(values) for values in cosines.values()) >= LEAST_COSINE


def main() -> int:
    """Compare each root and runtime; return the exit code."""
    check_machine()
    exchange = arm64_folder() / "exchange"
    files = fill_exchange(exchange)
    models = {"toy": TOY, **({"starter": None} if (STARTER / "manifest.json").is_file() else {})}
    here = {name: ask_here(exchange, model, files) for name, model in models.items()}
    made = here["toy"].embeddings
    say(f"here: {made['machine']}, Python {made['python']}, {made['runtime']}")
    good = True
    for root, runtime in RUNS:
        folder = ensure_root(root)
        download_wheels(root, runtime, exchange / "wheels")
        binaries = install(root, folder, runtime, exchange)
        for name, model in models.items():
            say(f"{root.name}: birdfield identify, the {name} model, {runtime}")
            try:
                there = ask_root(folder, binaries, runtime, exchange, model, files)
            except SystemExit as error:
                if runtime != OPTIONAL_RUNTIME:
                    raise
                say(f"{error}; {OPTIONAL_RUNTIME} may fail")
                continue
            good = (compare(name, here[name], there) or runtime == OPTIONAL_RUNTIME) and good
    say(
        "arm64 and x86-64 give the same answers"
        if good
        else "make arm64: arm64 and x86-64 give different answers; expected every cosine "
        f"{LEAST_COSINE} or more and every decision the same"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
