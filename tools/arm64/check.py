"""Compare birdfield on arm64 with birdfield here: python tools/arm64/check.py, after `make wheel`.

Installs the wheel in each root of tools/arm64/roots.py, runs `birdfield identify` there on toy
birds, and exits 1 unless the embeddings and the decisions are those of this machine.
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
# The older runtime, which has no wheel for a Python after 3.11, is tried and may fail.
TRIED = "tflite-runtime"
RUNS = (*((root, RUNTIME) for root in ROOTS), (ROOTS[0], TRIED))
DECISION = ("species", "unknown", "senses", "agreement", "start_s")


@dataclass(frozen=True)
class Answers:
    """What one machine made of the files by one model.

    Attributes:
        embeddings: The object that tools/arm64/answers.py prints.
        decisions: The entries that `birdfield identify --json` prints.
        seconds: What `birdfield identify` took.
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
    """Answer on this machine."""
    embed, identify = commands(model, files)
    cli = ["-m", "birdfield"]
    environment = {**os.environ, "XDG_DATA_HOME": str(exchange / "data")}  # no user's own species

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
    """Answer in a root."""
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
    """Print how the two agree; tell whether it is enough."""
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
    """Compare each root and runtime; returns the exit code."""
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
                if runtime != TRIED:
                    raise
                say(f"{error}; {TRIED} is only tried")
                continue
            good = (compare(name, here[name], there) or runtime == TRIED) and good
    say(
        "arm64 answers as x86-64 does"
        if good
        else "make arm64: arm64 does not answer as x86-64 "
        f"does: every cosine must be {LEAST_COSINE} or more and every decision the same"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
