"""Evidence for 0018: 0018_pooling.py MODEL IMAGES AUDIO NO_IMAGES NO_AUDIO OUT.csv.

IMAGES and AUDIO hold a folder a species, of files that MODEL was not trained on; NO_IMAGES and
NO_AUDIO are flat folders of what is no bird. Files are embedded once. A scene is then played window
by window: birds that are seen, heard, or heard first and seen later, one in six while another
species sings, and between them pictures and sounds of no bird. Prints how many visits are found and
how many of those found were there, for several choices of the constants of `birdfield.visits`.
"""

import csv
import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from birdfield import visits as pooling
from birdfield.decide import decide
from birdfield.embed_file import NOTHING, Part, embed_file
from birdfield.encoder import Encoder
from birdfield.errors import InputError
from birdfield.gallery import Gallery
from birdfield.model import open_model
from birdfield.observation import Observation
from birdfield.watch import DECISION_S
from birdfield.window import Window

VISITS = 400
EVERY = 4  # of the files of no bird, one in so many is used
WINDOW_S = 5.3
KINDS = ("seen", "heard", "both", "heard first")
SENSES = {"both": ("image", "audio"), "image": ("image",), "audio": ("audio",)}
NEVER = 2.0  # a score that none reaches
CHOICES = {"SURE, LONE": ((0.6, 0.5), (0.6, 0.0), (0.9, 0.5), (0.9, 0.9), (NEVER, NEVER)),
           "ENOUGH": (0.0, 1.5, 1.9, 3.0), "SHARE": (0.5, 0.6)}


@dataclass(frozen=True)
class Truth:
    """A bird that was there."""

    species: str
    start_s: float
    end_s: float


Sources = dict[str, list[list[Part]]]  # by species, or "" for no bird: files, their parts


def embed(encoder: Encoder, paths: Sequence[Path]) -> list[list[Part]]:
    """Embed files, leaving out what is unusable."""
    files = []
    for path in paths:
        try:
            files.append(list(embed_file(encoder, path)))
        except InputError:
            continue
    return files


def gather(encoder: Encoder, folder: Path, nobody: Path) -> Sources:
    """Embed a folder a species, and a flat folder."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.setdefault(path.parent.name.replace("_", " "), []).append(path)
    files = {species: embed(encoder, paths) for species, paths in found.items()}
    files[""] = embed(encoder, sorted(path for path in nobody.iterdir()
                                       if path.is_file())[::EVERY])
    return {species: parts for species, parts in files.items() if parts}


class Player:
    """Gives each window its picture and its sound."""

    def __init__(self, images: Sources, audio: Sources, seed: int) -> None:
        """Draw by a seed."""
        self.images, self.audio = images, audio
        self.rng = np.random.default_rng(seed)
        self.species = sorted(set(images) & set(audio) - {""})
        self.truths: list[Truth] = []
        self.number = 0

    def scene(self) -> Iterator[tuple[float, float, Part, Part]]:
        """Play a scene of VISITS visits."""
        for _ in range(VISITS):
            yield from self.windows(int(self.rng.integers(16, 34)), None, None, "")
            first, second = self.rng.choice(self.species, 2, replace=False)
            length = int(self.rng.integers(4, 16))
            kind = KINDS[self.rng.integers(len(KINDS))]
            other = self.rng.random() < 1 / 6
            yield from self.windows(length, first, second if other else None, kind)

    def windows(self, length: int, bird: str | None, other: str | None,
                kind: str) -> Iterator[tuple[float, float, Part, Part]]:
        """Play a stretch: with a bird, with another that sings beside it, or with none."""
        if other and kind != "heard":
            kind = "seen"
        seen = self.pick(self.images[bird if bird and kind != "heard" else ""], 2)
        singer = other or (bird if kind != "seen" else None)
        heard = self.pick(self.audio[singer or ""], 1)[0]
        empty = self.pick(self.images[""], 1)[0]
        start = self.number
        for index in range(length):
            image = seen[self.rng.integers(len(seen))][0]
            if kind == "heard first" and index < length // 2:
                image = empty[0]
            sound = heard[index % len(heard)]
            begin = self.number * DECISION_S
            yield begin, begin + WINDOW_S, image, sound
            self.number += 1
        for name in {bird if kind != "heard" or not other else None, singer} - {None}:
            assert name is not None
            self.truths.append(Truth(name, start * DECISION_S,
                                     self.number * DECISION_S + WINDOW_S))

    def pick(self, files: list[list[Part]], count: int) -> list[list[Part]]:
        """Draw files."""
        return [files[index] for index in self.rng.integers(len(files), size=count)]


def windows_of(encoder: Encoder, gallery: Gallery, played: Sequence[tuple], senses: tuple[str, ...],
               ) -> list[Window]:
    """Decide each window by the senses that there are."""
    found = []
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for start_s, end_s, image, sound in played:
        seen = image if "image" in senses else NOTHING
        heard = sound if "audio" in senses else NOTHING
        decision = decide(encoder, gallery, seen.image, heard.audio, seen.quality, heard.quality,
                          heard.birdless and seen.image is None)
        time = start + timedelta(seconds=end_s)
        found.append(Window(time, start_s, end_s, {}, Observation(
            time, start_s, end_s, decision, None, None), seen=seen, heard=heard))
    return found


def pool(windows: Sequence[Window], claims: Sequence[list[pooling.Claim]]) -> list[pooling.Visit]:
    """Pool as a recorder does."""
    going_on = pooling.Visits()
    found = []
    for window, said in zip(windows, claims, strict=True):
        going_on.take(window, said)
        found += going_on.ended(window.end_s)
    return found + going_on.close()


def score(found: Sequence[pooling.Visit], truths: Sequence[Truth]) -> dict[str, object]:
    """Count: a visit is right where its species was there then, and each bird counts once."""
    taken: set[int] = set()
    right = 0
    named = [visit for visit in found if visit.species is not None]
    for visit in named:
        match = next((index for index, truth in enumerate(truths) if index not in taken
                      and truth.species == visit.species and truth.start_s < visit.end_s
                      and visit.start_s < truth.end_s), None)
        if match is not None:
            taken.add(match)
            right += 1
    return {"there": len(truths), "named": len(named), "undecided": len(found) - len(named),
            "precision": round(right / max(len(named), 1), 4),
            "recall": round(right / len(truths), 4)}


def main() -> None:
    """Measure, print and write."""
    model, images, audio, no_images, no_audio, out = map(Path, sys.argv[1:])
    _, encoder, gallery = open_model(model)
    player = Player(gather(encoder, images, no_images), gather(encoder, audio, no_audio), 0)
    played = list(player.scene())
    rows = []
    for name, senses in SENSES.items():
        windows = windows_of(encoder, gallery, played, senses)
        truths = player.truths
        for sure, lone in CHOICES["SURE, LONE"]:
            pooling.SURE, pooling.LONE = sure, lone
            claims = [pooling.claims_of(encoder, gallery, window) for window in windows]
            for enough, share in itertools.product(CHOICES["ENOUGH"], CHOICES["SHARE"]):
                pooling.ENOUGH, pooling.SHARE = enough, share
                row = {"senses": name, "SURE": sure, "LONE": lone, "ENOUGH": enough,
                       "SHARE": share, **score(pool(windows, claims), truths)}
                rows.append(row)
                print(*row.values(), flush=True)
            if name != "both":
                break  # one sense cannot disagree
    with out.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
