"""Record 0010: accuracy of enrolment from a few files.

    python experiments/0010/few_shot.py RUN_OR_MODEL OLD_IMAGES OLD_AUDIO NEW_IMAGES NEW_AUDIO
        OUT.csv [--vectors FILE.npz] [--json FILE] [--way NAME]

OLD_* contain test files of species that the model knows, NEW_* files of other species. For each
number of photographs and recordings, and each way of making prototypes, the script enrols every new
species at once from DRAWS random sets of files, and answers for all other files among old and new
species together. It embeds every file once; --vectors keeps the embeddings in a file.
"""

import argparse
import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from birdfield.commands.evaluate import open_run_or_model
from birdfield.evaluate.files import embed_dataset
from birdfield.evaluate.metrics import bootstrap_ci95
from birdfield.evaluate.pairs import LabelledEmbeddings, Pairs, draw_pairs, fuse_senses
from birdfield.model.encoder import Encoder, Vector, Vectors, unit
from birdfield.model.gallery import Gallery, margin_over_unknown
from birdfield.model.prototypes import (
    MAX_LENGTH,
    Fuse,
    lengthen,
    per_photo_prototypes,
    prototypes_of,
    shrink_to_prior,
)
from birdfield.model.sense import SENSES, Sense
from birdfield.model.species import Species
from birdfield.recognise.dataset import scan_dataset

PHOTOGRAPHS = (1, 3, 5)
RECORDINGS = (0, 1, 2)
DRAWS = 5

Made = list[tuple[Sense, Vector]]
Way = Callable[[Fuse, Gallery, Vectors, Vectors], Made]


@dataclass(frozen=True)
class Tested:
    """Test samples by one of SENSES: fused vectors, true species, and indices of their files."""

    vectors: Vectors
    labels: NDArray[np.int64]
    units: tuple[NDArray[np.int64], ...]


@dataclass(frozen=True)
class Files:
    """The files of both senses, of old and of new species."""

    old: tuple[LabelledEmbeddings, LabelledEmbeddings]
    new: tuple[LabelledEmbeddings, LabelledEmbeddings]
    labels: tuple[str, ...]  # of the new species


def _centre(gallery: Gallery, sense: Sense) -> Vector:
    """Return the mean of the factory prototypes of a sense."""
    return np.asarray(gallery.vectors[gallery.senses == SENSES.index(sense)].mean(axis=0))


def as_enrolled(fuse: Fuse, gallery: Gallery, images: Vectors, audio: Vectors) -> Made:
    """Make prototypes as birdfield does."""
    return longer(MAX_LENGTH)(fuse, gallery, images, audio)


def longer(reach: float) -> Way:
    """Return the way that lengthens the prototype of both senses."""

    def make(fuse: Fuse, gallery: Gallery, images: Vectors, audio: Vectors) -> Made:
        return lengthen(
            prior(1)(fuse, gallery, images, audio), len(images), reach
        ) + per_photo_prototypes(fuse, images)

    return make


def mean(fuse: Fuse, gallery: Gallery, images: Vectors, audio: Vectors) -> Made:
    """Average the vectors of photographs, of recordings, and of pairs."""
    return prototypes_of(fuse, images, audio)


def prior(recordings: float) -> Way:
    """Return the way that shrinks pairs to an average sound, counted as some recordings."""

    def make(fuse: Fuse, gallery: Gallery, images: Vectors, audio: Vectors) -> Made:
        return shrink_to_prior(
            mean(fuse, gallery, images, audio),
            len(audio),
            gallery.vectors,
            gallery.senses,
            recordings,
        )

    return make


def each(fuse: Fuse, gallery: Gallery, images: Vectors, audio: Vectors) -> Made:
    """Make a prototype of every photograph, recording and pair."""
    left, right = (side.ravel() for side in np.indices((len(images), len(audio))))
    made = fuse_senses(fuse, images, audio, Pairs(left, right))
    return [(sense, vector) for sense, found in made.items() for vector in found]


def mean_and_each(fuse: Fuse, gallery: Gallery, images: Vectors, audio: Vectors) -> Made:
    """Make the prototypes of both ways."""
    return mean(fuse, gallery, images, audio) + each(fuse, gallery, images, audio)


def shrunk(share: float) -> Way:
    """Return the way that moves the mean to the centre of all species, or away (share < 0)."""

    def make(fuse: Fuse, gallery: Gallery, images: Vectors, audio: Vectors) -> Made:
        return [
            (sense, unit(vector + share * _centre(gallery, sense)))
            for sense, vector in mean(fuse, gallery, images, audio)
        ]

    return make


def projected(kept: int) -> Way:
    """Return the way that keeps the directions in which factory species differ most."""

    def make(fuse: Fuse, gallery: Gallery, images: Vectors, audio: Vectors) -> Made:
        made = []
        for sense, vector in mean(fuse, gallery, images, audio):
            centre = _centre(gallery, sense)
            rows = gallery.vectors[gallery.senses == SENSES.index(sense)]
            axes = np.linalg.svd(rows - centre, full_matrices=False)[2][:kept]
            made.append((sense, unit(centre + (vector - centre) @ axes.T @ axes)))
        return made

    return make


def translated(fuse: Fuse, gallery: Gallery, images: Vectors, audio: Vectors) -> Made:
    """Translate image prototypes of a species without recordings to the other senses."""
    made = mean(fuse, gallery, images, audio)
    if len(images) and not len(audio):
        seen = made[0][1] - _centre(gallery, Sense.IMAGE)
        made += [
            (sense, unit(seen + _centre(gallery, sense))) for sense in (Sense.AUDIO, Sense.BOTH)
        ]
    return made


WAYS: Mapping[str, Way] = {
    "as enrolled": as_enrolled,
    "of length 1": longer(1.0),
    "of length 1.05": longer(1.05),
    "of length 1.15": longer(1.15),
    "mean": mean,
    "prior of 1": prior(1),
    "prior of 2": prior(2),
    "prior of 6": prior(6),
    "each": each,
    "mean and each": mean_and_each,
    "towards the centre, 0.2": shrunk(0.2),
    "away from the centre, 0.2": shrunk(-0.2),
    "projected on 40": projected(40),
    "translated": translated,
}


def embed(encoder: Encoder, gallery: Gallery, folders: list[Path]) -> Files:
    """Embed every file of the four folders."""
    old, new = scan_dataset(folders[0], folders[1]), scan_dataset(folders[2], folders[3])
    strange = set(old.labels) - set(gallery.labels) or set(new.labels) & set(gallery.labels)
    if strange:
        raise SystemExit(
            "expected old species that the model knows and new ones that it does not know, "
            f"got {sorted(strange)}"
        )
    known, fresh = (
        embed_dataset(encoder, labels, dataset, lambda *_: None)
        for labels, dataset in ((gallery.labels, old), (tuple(new.labels), new))
    )
    for problem in (*known.problems, *fresh.problems):
        print("skipped", problem)
    return Files((known.images, known.audio), (fresh.images, fresh.audio), tuple(new.labels))


def keep(path: Path, files: Files) -> None:
    """Write the embeddings."""
    arrays: dict[str, Any] = {
        f"{part}{index}": _pack(side)
        for part, pair in (("old", files.old), ("new", files.new))
        for index, side in enumerate(pair)
    }
    np.savez(path, labels=np.array(files.labels), **arrays)


def _pack(side: LabelledEmbeddings) -> NDArray[np.float64]:
    return np.column_stack([side.vectors, side.labels, side.recordings])


def kept(path: Path) -> Files:
    """Read the embeddings."""
    with np.load(path) as saved:
        sides = [
            LabelledEmbeddings(
                saved[name][:, :-2].astype(np.float32),
                saved[name][:, -2].astype(np.int64),
                saved[name][:, -1].astype(np.int64),
            )
            for name in ("old0", "old1", "new0", "new1")
        ]
        return Files((sides[0], sides[1]), (sides[2], sides[3]), tuple(map(str, saved["labels"])))


def test_sets(
    fuse: Fuse, images: LabelledEmbeddings, audio: LabelledEmbeddings, seed: int
) -> dict[Sense, Tested]:
    """Return the test samples by image, by audio and in pairs."""
    left, right = draw_pairs(images, audio, seed)
    fused = fuse_senses(fuse, images.vectors, audio.vectors, Pairs(left, right))
    return {
        Sense.IMAGE: Tested(fused[Sense.IMAGE], images.labels, (images.recordings,)),
        Sense.AUDIO: Tested(fused[Sense.AUDIO], audio.labels, (audio.recordings,)),
        Sense.BOTH: Tested(
            fused[Sense.BOTH],
            images.labels[left],
            (images.recordings[left], audio.recordings[right]),
        ),
    }


def draw(side: LabelledEmbeddings, count: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose files of `count` recordings or photographs of every species; return bool [N]."""
    chosen = np.zeros(len(side.labels), bool)
    for label in np.unique(side.labels):
        own = np.unique(side.recordings[side.labels == label])
        chosen |= np.isin(side.recordings, rng.permutation(own)[:count])
    return chosen


def part_of(side: LabelledEmbeddings, rows: NDArray[np.bool_]) -> LabelledEmbeddings:
    """Return some of the files."""
    return LabelledEmbeddings(side.vectors[rows], side.labels[rows], side.recordings[rows])


def with_new(
    fuse: Fuse,
    gallery: Gallery,
    way: Way,
    labels: tuple[str, ...],
    images: LabelledEmbeddings,
    audio: LabelledEmbeddings,
) -> Gallery:
    """Add the new species after the old ones."""
    first = len(gallery.species)
    made = [
        (first + row, sense, vector)
        for row in range(len(labels))
        for sense, vector in way(
            fuse, gallery, images.vectors[images.labels == row], audio.vectors[audio.labels == row]
        )
    ]
    thresholds = np.tile(np.array(gallery.calibration.threshold, np.float32), (len(labels), 1))
    return replace(
        gallery,
        species=(*gallery.species, *map(Species, labels)),
        vectors=np.concatenate([gallery.vectors, *(vector[None] for _, _, vector in made)]),
        owner=np.concatenate([gallery.owner, np.array([row for row, _, _ in made], np.int32)]),
        senses=np.concatenate(
            [gallery.senses, np.array([SENSES.index(sense) for _, sense, _ in made], np.uint8)]
        ),
        thresholds=np.concatenate([gallery.thresholds, thresholds]),
    )


def answers(
    gallery: Gallery, tested: Tested, sense: Sense, shift: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which samples are right, right among species from `shift` on, and not unknown."""
    similarities = gallery.similarities(tested.vectors, sense)
    return (
        similarities.argmax(axis=1) == tested.labels + shift,
        similarities[:, shift:].argmax(axis=1) == tested.labels,
        margin_over_unknown(
            similarities, gallery.background_similarity(tested.vectors, sense), gallery, sense
        )
        >= 0,
    )


def measure(
    fuse: Fuse, gallery: Gallery, files: Files, ways: Mapping[str, Way]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of the table, for every way and number of files."""
    old = test_sets(fuse, *files.old, seed=0)
    before = {sense: answers(gallery, old[sense], sense, 0)[0] for sense in SENSES}
    for photographs in PHOTOGRAPHS:
        for recordings in RECORDINGS:
            for name, way in ways.items():
                yield from _measure_way(
                    fuse, gallery, files, old, before, photographs, recordings, name, way
                )


def _measure_way(
    fuse: Fuse,
    gallery: Gallery,
    files: Files,
    old: Mapping[Sense, Tested],
    before: Mapping[Sense, NDArray[np.bool_]],
    photographs: int,
    recordings: int,
    name: str,
    way: Way,
) -> Iterator[dict[str, Any]]:
    right: dict[tuple[str, str], list[NDArray[np.bool_]]] = {}
    known: dict[str, list[NDArray[np.bool_]]] = {}
    among: dict[str, list[NDArray[np.bool_]]] = {}
    units: dict[str, list[tuple[NDArray[np.int64], ...]]] = {}
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        rows = [
            draw(side, count, rng)
            for side, count in zip(files.new, (photographs, recordings), strict=True)
        ]
        added = with_new(
            fuse,
            gallery,
            way,
            files.labels,
            *(part_of(side, own) for side, own in zip(files.new, rows, strict=True)),
        )
        images, audio = (part_of(side, ~own) for side, own in zip(files.new, rows, strict=True))
        new = test_sets(fuse, images, audio, seed)
        for sense in SENSES:
            found, alone, accepted = answers(added, new[sense], sense, len(gallery.species))
            right.setdefault(("new", sense), []).append(found)
            known.setdefault(sense, []).append(accepted)
            among.setdefault(sense, []).append(alone)
            units.setdefault(sense, []).append(new[sense].units)
            right.setdefault(("old", sense), []).append(answers(added, old[sense], sense, 0)[0])
    for sense in SENSES:
        pooled = np.concatenate(right["new", sense])
        low, high = bootstrap_ci95(pooled, *map(np.concatenate, zip(*units[sense], strict=True)))
        after = float(np.mean(right["old", sense]))
        yield {
            "photographs": photographs,
            "recordings": recordings,
            "way": name,
            "sense": sense,
            "new_top1": round(float(pooled.mean()), 4),
            "low": round(low, 4),
            "high": round(high, 4),
            "n": len(pooled),
            "among_new": round(float(np.concatenate(among[sense]).mean()), 4),
            "new_answered": round(float(np.concatenate(known[sense]).mean()), 4),
            "old_before": round(float(before[sense].mean()), 4),
            "old_after": round(after, 4),
            "old_n": len(before[sense]),
            "chance": round(1 / (len(gallery.species) + len(files.labels)), 4),
        }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("folders", type=Path, nargs=4)
    parser.add_argument("out", type=Path)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--way", choices=WAYS)
    given = parser.parse_args()
    tested = open_run_or_model(given.model)
    encoder, gallery = tested.encoder, tested.gallery
    if given.vectors and given.vectors.exists():
        files = kept(given.vectors)
    else:
        files = embed(encoder, gallery, given.folders)
        if given.vectors:
            keep(given.vectors, files)
    rows = list(
        measure(encoder.fuse, gallery, files, {given.way: WAYS[given.way]} if given.way else WAYS)
    )
    with given.out.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))
    for row in rows:
        print(
            "{photographs} + {recordings}  {way:26} {sense:5}  new {new_top1:.3f} [{low:.3f}, "
            "{high:.3f}] n {n}  answered {new_answered:.3f}  old {old_before:.3f} -> "
            "{old_after:.3f}".format(**row)
        )


if __name__ == "__main__":
    main()
