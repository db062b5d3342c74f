"""Demo: trains, evaluates and watches a toy aviary: python tools/demo.py FOLDER.

Draws six invented species, trains, exports and evaluates a model, and watches a scene in which the
camera is covered for a while, and the microphone muted. Exits with 1 when too few visits are
right.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from birdfield.model.audio_specs import YAMNET

NEEDED = {("image", "audio"): 9, ("audio",): 7, ("image",): 7}  # right visits out of 10, by senses


@dataclass(frozen=True)
class Visit:
    """A visit of the script, and the answer of the model."""

    species: str
    senses: tuple[str, ...]
    answer: str | None
    windows: int
    other_senses: int


def birdfield(folder: Path, *arguments: str) -> str:
    """Print a command and run it as a user would; return its output."""
    print("\n$ birdfield " + " ".join(arguments), flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "birdfield", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"birdfield {arguments[0]} ended with exit code {done.returncode}")
    return done.stdout


def judge(visit: dict[str, Any], observations: Sequence[dict[str, Any]]) -> Visit:
    """Return a visit with the species that most of its windows name."""
    inside = [
        row
        for row in observations
        if row["start_s"] >= visit["start_s"] and row["start_s"] + YAMNET.window_s <= visit["end_s"]
    ]
    names = Counter(row["species"] for row in inside if row["species"])
    other = sum(row["senses"] != visit["senses"] for row in inside)
    return Visit(
        visit["species"],
        tuple(visit["senses"]),
        names.most_common(1)[0][0] if names else None,
        len(inside),
        other,
    )


def show(visits: Sequence[Visit]) -> bool:
    """Print the table; return whether every row meets its target."""
    print(f"\n{'senses':<14}{'visits':>7}{'right':>7}{'needed':>8}  windows with other senses")
    good = True
    for senses, needed in NEEDED.items():
        part = [visit for visit in visits if visit.senses == senses]
        right = sum(visit.answer == visit.species for visit in part)
        other = sum(visit.other_senses for visit in part)
        heard = all(visit.windows for visit in part)
        print(f"{'+'.join(senses):<14}{len(part):>7}{right:>7}{needed:>8}  {other}")
        good = good and len(part) == 10 and right >= needed and not other and heard
    for visit in visits:
        if visit.answer != visit.species:
            print(
                f"  {visit.species} ({'+'.join(visit.senses)}) was identified as "
                f"{visit.answer or 'unknown'}"
            )
    return good


def main() -> int:
    """Run the demo; return the exit code."""
    folder = Path(sys.argv[1]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    started = time.monotonic()
    print("Drawing six invented birds and writing their songs ...", flush=True)
    subprocess.run([sys.executable, "-m", "birdfield_train.toy_aviary", str(folder)], check=True)
    birdfield(folder, "train", "train/images", "train/audio", "-o", "run")
    birdfield(folder, "export", "run", "-o", "toy.birdfield")
    print(birdfield(folder, "evaluate", "toy.birdfield", "test/images", "test/audio"))
    lines = birdfield(
        folder,
        "watch",
        "--model",
        "toy.birdfield",
        "--camera",
        "scene/scene.avi",
        "--microphone",
        "scene/scene.wav",
        "--fast",
        "--json",
    ).splitlines()
    script = json.loads((folder / "scene" / "scene.json").read_text())
    observations = [json.loads(line) for line in lines]
    good = show([judge(visit, observations) for visit in script["visits"]])
    print(
        f"\n{'Passed' if good else 'FAILED'} after {time.monotonic() - started:.0f} s; "
        f"all files are in {folder.name}/"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
