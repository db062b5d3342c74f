"""The embedding space flattened to a map (t-SNE; van der Maaten and Hinton, 2008)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from birdfield.model.sense import SENSES, Sense
from birdfield.report.evaluation import Evaluation

MOST = 1500  # test files on the map; more are drawn from at random
PERPLEXITY = 30.0
WIDTH, HEIGHT, MARGIN = 1000, 720, 30
HUES = 8  # that colour-blind people can tell; species share them, so names are written too
LABEL_PX = (7.0, 13.0)  # of a character's width, and of a line's height


@dataclass(frozen=True)
class Point:
    """A test file or a prototype: its place, species, sense, and what a pointer shows of it."""

    x: float
    y: float
    species: int
    kind: str
    title: str


@dataclass(frozen=True)
class Label:
    """A species' name at a place that no other name covers."""

    x: float
    y: float
    species: int
    text: str


@dataclass(frozen=True)
class Map:
    """The points and names; `left_out` test files did not fit."""

    points: tuple[Point, ...]
    labels: tuple[Label, ...]
    left_out: int


def draw_map(evaluation: Evaluation) -> Map | None:
    """Place test files and prototypes so that neighbours stay neighbours; None of too few.

    Distances across the map mean little; who is beside whom is what it shows.
    """
    gallery = evaluation.gallery
    vectors = np.concatenate([evaluation.images.vectors, evaluation.audio.vectors])
    species = np.concatenate([evaluation.images.labels, evaluation.audio.labels])
    kinds = [Sense.IMAGE] * len(evaluation.images.labels) + [Sense.AUDIO] * len(
        evaluation.audio.labels
    )
    paths = [*evaluation.image_paths, *evaluation.audio_paths]
    kept = np.sort(np.random.default_rng(0).permutation(len(vectors))[:MOST])
    rows = np.flatnonzero(np.isin(gallery.owner, species))
    joined = np.concatenate([vectors[kept], gallery.vectors[rows]])
    if len(joined) < 5:
        return None
    places = _flatten(joined)
    points = [
        Point(
            x,
            y,
            int(species[row]),
            kinds[row],
            f"{gallery.labels[species[row]]}: {paths[row].name}",
        )
        for (x, y), row in zip(places.tolist(), kept, strict=False)
    ]
    owners = gallery.owner[rows]
    prototypes = [
        Point(
            x,
            y,
            int(owner),
            "prototype",
            f"{gallery.labels[owner]}: prototype by {SENSES[gallery.senses[row]]}",
        )
        for (x, y), owner, row in zip(places[len(kept) :].tolist(), owners, rows, strict=True)
    ]
    return Map(
        (*points, *prototypes), _place_labels(prototypes, gallery.labels), len(vectors) - len(kept)
    )


def _flatten(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    # One thread: on a busy machine OpenMP's threads wait for each other, ten times slower.
    with threadpool_limits(1):
        flat = TSNE(2, perplexity=perplexity, init="random", random_state=0).fit_transform(vectors)
    low, high = flat.min(axis=0), flat.max(axis=0)
    room = np.array([WIDTH, HEIGHT]) - 2 * MARGIN
    return np.asarray(np.round(MARGIN + room * (flat - low) / np.maximum(high - low, 1e-9), 1))


def _place_labels(prototypes: list[Point], names: tuple[str, ...]) -> tuple[Label, ...]:
    taken: list[tuple[float, float, float]] = []  # left, right, baseline
    labels: list[Label] = []
    width_px, line_px = LABEL_PX
    for index in dict.fromkeys(point.species for point in prototypes):
        own = [point for point in prototypes if point.species == index]
        # Near the prototype that has most of the others around it: the middle may be empty.
        anchor = min(
            own,
            key=lambda point: sum(np.hypot(point.x - other.x, point.y - other.y) for other in own),
        )
        text = names[index] if len(names[index]) <= 24 else f"{names[index][:23]}…"
        half = width_px * len(text) / 2
        x = min(max(anchor.x, half), WIDTH - half)
        for shift in (0, *(sign * step for step in range(1, 9) for sign in (-1, 1))):
            y = anchor.y - 9 + shift * line_px * 0.8
            if not any(
                x - half < right and left < x + half and abs(y - base) < line_px
                for left, right, base in taken
            ):
                break
        taken.append((x - half, x + half, y))
        labels.append(Label(round(x, 1), round(y, 1), index, text))
    return tuple(labels)
