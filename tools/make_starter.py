"""Starter model: collects, trains and packs it.

    python tools/make_starter.py DATA [OUT] [--work DIR]

DATA contains SOURCES.tsv, {train,enrol,extra}/{images,audio}/<Species>/ and, as background,
negatives/{images,audio}. The script writes OUT (birdfield/starter), a bundle with a LICENSE and a
MODEL_CARD.md. With --work it keeps the links and the run, and continues an interrupted run. It
never reads DATA/unknown, which is left for tests of the model.
"""

import argparse
import csv
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from starter_texts import Collected, licence_text, model_card

from birdfield import atomic
from birdfield.model.bundle import LICENSE, MANIFEST, MODEL_CARD, load_bundle
from birdfield.model.sense import Sense
from birdfield.paths import STARTER, file_sha256
from birdfield.recognise.dataset import SUFFIXES

FOLDERS = ("train", "enrol", "extra")
SENSE_OF_FOLDER = {"images": Sense.IMAGE, "audio": Sense.AUDIO}
MIN_FILES = 2  # of a species, of both senses together: `birdfield train` refuses fewer
LICENCE = (
    "starter model: research and non-commercial use only; "
    "what it was trained on and how is in its LICENSE"
)
TRAIN = ("--image-backbone", "efficientnet-lite0", "--frontend", "yamnet")
# WORK is the folder of the links. --no-bird is used when DATA has background files.
EXTRA_TRAIN = (
    ("--no-bird", "WORK/negatives/images", "WORK/negatives/audio"),
    ("--licence", LICENCE),
)
NO_DERIVATIVES = re.compile(r"\bnd\b|no[\s-]*deriv", re.IGNORECASE)


def read_sources(path: Path) -> list[dict[str, str]]:
    """Read SOURCES.tsv."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def forbids_derivatives(row: dict[str, str]) -> bool:
    """Return whether a file's licence, or its repository's, permits no derivatives."""
    return bool(NO_DERIVATIVES.search(f"{row['file_licence']} {row['repo_licence']}"))


def collect(data: Path, work: Path) -> Collected:
    """Link the files to train on: WORK/{images,audio}/<Species>/, WORK/negatives/{images,audio}/.

    Raises:
        SystemExit: When SOURCES.tsv does not name a file of DATA.
    """
    rows = {row["file"]: row for row in read_sources(data / "SOURCES.tsv")}
    present = sorted(
        str(path.relative_to(data))
        for top in (*FOLDERS, "negatives")
        for sense in SENSE_OF_FOLDER
        for path in (data / top / sense).rglob("*")
        if path.suffix.lower() in SUFFIXES[SENSE_OF_FOLDER[sense]]
    )
    unnamed = [name for name in present if name not in rows]
    if unnamed:
        raise SystemExit(
            f"{unnamed[0]} and {len(unnamed) - 1} other files are not in SOURCES.tsv; "
            "add rows that state their source, or remove the files"
        )
    allowed = [rows[name] for name in present if not forbids_derivatives(rows[name])]
    birds = [row for row in allowed if Path(row["file"]).parts[0] in FOLDERS]
    few = {name for name, count in Counter(map(species_of, birds)).items() if count < MIN_FILES}
    birds = [row for row in birds if species_of(row) not in few]
    negatives = [row for row in allowed if Path(row["file"]).parts[0] == "negatives"]
    for row in birds:
        path = Path(row["file"])
        link(data / path, work / path.parts[1] / species_of(row) / path.name)
    for row in negatives:
        link(data / row["file"], work / row["file"])
    for sense in SENSE_OF_FOLDER:
        (work / sense).mkdir(exist_ok=True)
    return Collected(
        tuple(birds), tuple(negatives), len(present) - len(allowed), tuple(sorted(few))
    )


def species_of(row: dict[str, str]) -> str:
    """Return the folder name of a file's species, which is the same in all of DATA."""
    return Path(row["file"]).parent.name


def link(source: Path, target: Path) -> None:
    """Link a file; when the name is already used by another file, add the source's name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink() and target.resolve() != source.resolve():
        target = target.with_name(f"{source.parents[2].name}-{target.name}")
    if not target.is_symlink():
        target.symlink_to(source.resolve())


def birdfield(arguments: Sequence[str]) -> None:
    """Run a birdfield command; exit when it fails."""
    done = subprocess.run([sys.executable, "-m", "birdfield", *arguments], check=False)
    if done.returncode:
        raise SystemExit(f"birdfield {arguments[0]} ended with exit code {done.returncode}")


def commands(negatives: bool) -> list[list[str]]:
    """Return the commands that make the bundle, with --no-bird only when there is background."""
    extra: list[str] = []
    for option, *values in EXTRA_TRAIN:
        if negatives or option != "--no-bird":
            extra += [option, *values]
        else:
            print(f"trained without {option}: no files", file=sys.stderr)
    train = ["train", "WORK/images", "WORK/audio", "-o", "WORK/run", *TRAIN, *extra, "--resume"]
    return [train, ["export", "WORK/run", "-o", "WORK/starter.birdfield", "--force"]]


def assemble(bundle: Path, out: Path, found: Collected, made_by: Iterable[str]) -> None:
    """Write the bundle with its texts to OUT, and their hashes to the manifest."""
    manifest = json.loads((bundle / MANIFEST).read_bytes())
    manifest["licences"] = [*dict.fromkeys([LICENCE, *manifest["licences"]])]
    texts = {LICENSE: licence_text(found), MODEL_CARD: model_card(found, manifest, made_by)}
    with atomic.new_folder(out, force=True) as draft:
        for name in manifest["files"]:
            shutil.copyfile(bundle / name, draft / name)
        for name, text in texts.items():
            (draft / name).write_text(text, encoding="utf-8")
            manifest["files"][name] = file_sha256(draft / name)
        (draft / MANIFEST).write_text(
            json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8"
        )
        load_bundle(draft)


def make(data: Path, out: Path, work: Path) -> None:
    """Collect, train, export and assemble."""
    for name in (*SENSE_OF_FOLDER, "negatives"):  # links of an earlier call
        shutil.rmtree(work / name, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    found = collect(data, work)
    print(found.summary(), file=sys.stderr)
    wanted = commands(bool(found.negatives))
    if "--no-bird" not in wanted[0]:  # the texts name only files that the model was trained on
        found = replace(found, negatives=())
    for arguments in wanted:
        birdfield(
            [
                part.replace("WORK", str(work), 1) if part.startswith("WORK/") else part
                for part in arguments
            ]
        )
    made_by = [
        "python tools/make_starter.py DATA",
        *(
            "birdfield " + " ".join(f'"{part}"' if " " in part else part for part in arguments)
            for arguments in wanted
        ),
    ]
    assemble(work / "starter.birdfield", out, found, made_by)
    print(out)


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description="Make the starter model.")
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path, nargs="?", default=STARTER)
    parser.add_argument("--work", type=Path, help="keep the links and the run in this folder")
    given = parser.parse_args()
    if given.work:
        make(given.data.resolve(), given.out, given.work.resolve())
        return
    with tempfile.TemporaryDirectory() as name:
        make(given.data.resolve(), given.out, Path(name))


if __name__ == "__main__":
    main()
