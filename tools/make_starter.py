"""Make the starter model: python tools/make_starter.py DATA [OUT] [--work DIR].

DATA holds SOURCES.tsv and {train,enrol,extra}/{images,audio}/<Species>/; its negatives/ are no
birds. OUT (birdfield/starter) becomes a bundle with a LICENSE and a MODEL_CARD.md. With --work the
links and the run are kept, and a run that was interrupted is gone on with. DATA/unknown is never
read: it is what the model may be tested on.
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
MIN_FILES = 2  # of a species, over both senses: `birdfield train` refuses fewer
LICENCE = (
    "starter model: research and non-commercial use only; "
    "what it was trained on and how is in its LICENSE"
)
TRAIN = ("--image-backbone", "efficientnet-lite0", "--frontend", "yamnet")
# WORK is the folder of the links; --no-bird is given where there are such files.
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
    """Tell whether a file's licence, or its repository's, allows no derivatives."""
    return bool(NO_DERIVATIVES.search(f"{row['file_licence']} {row['repo_licence']}"))


def collect(data: Path, work: Path) -> Collected:
    """Link what may be trained on: WORK/{images,audio}/<Species>/, WORK/negatives/{images,audio}/.

    Raises:
        SystemExit: When a file is there that SOURCES.tsv does not name.
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
            "say where they come from, or take them away"
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
    """Name the folder of a file's species: the same in all of DATA."""
    return Path(row["file"]).parent.name


def link(source: Path, target: Path) -> None:
    """Link a file; two of one name in the merged folders stay two."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink() and target.resolve() != source.resolve():
        target = target.with_name(f"{source.parents[2].name}-{target.name}")
    if not target.is_symlink():
        target.symlink_to(source.resolve())


def birdfield(arguments: Sequence[str]) -> None:
    """Run a command of birdfield's; ends this script when it fails."""
    done = subprocess.run([sys.executable, "-m", "birdfield", *arguments], check=False)
    if done.returncode:
        raise SystemExit(f"birdfield {arguments[0]} ended with exit code {done.returncode}")


def commands(negatives: bool) -> list[list[str]]:
    """List the commands that make the bundle; without files of no bird, not with --no-bird."""
    extra: list[str] = []
    for option, *values in EXTRA_TRAIN:
        if negatives or option != "--no-bird":
            extra += [option, *values]
        else:
            print(f"trained without {option}: no files", file=sys.stderr)
    train = ["train", "WORK/images", "WORK/audio", "-o", "WORK/run", *TRAIN, *extra, "--resume"]
    return [train, ["export", "WORK/run", "-o", "WORK/starter.birdfield", "--force"]]


def assemble(bundle: Path, out: Path, found: Collected, made_by: Iterable[str]) -> None:
    """Put the bundle and its texts in place, all of them vouched for by the manifest."""
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
    for name in (*SENSE_OF_FOLDER, "negatives"):  # links of an earlier turn
        shutil.rmtree(work / name, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    found = collect(data, work)
    print(found.summary(), file=sys.stderr)
    wanted = commands(bool(found.negatives))
    if "--no-bird" not in wanted[0]:  # the texts name only what was trained on
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
    parser.add_argument("--work", type=Path, help="keep the links and the run here")
    given = parser.parse_args()
    if given.work:
        make(given.data.resolve(), given.out, given.work.resolve())
        return
    with tempfile.TemporaryDirectory() as name:
        make(given.data.resolve(), given.out, Path(name))


if __name__ == "__main__":
    main()
