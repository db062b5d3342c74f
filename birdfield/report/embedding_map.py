"""Embedding map: projects the embedding space to a plane (t-SNE; van der Maaten, Hinton, 2008)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from birdfield.model.sense import SENSES, Sense
from birdfield.report.evaluation import Evaluation

MAX_FILES = 1500  # on the map; a random sample of more
MIN_POINTS = 5
PERPLEXITY = 30.0
WIDTH, HEIGHT, MARGIN = 1000, 720, 30  # px
HUES = 8  # that colour-blind people can distinguish; species share hues, and names follow
CHARACTER_PX, LINE_PX = 7.0, 13.0  # the width of a character, the height of a line


@dataclass(frozen=True)
class Point:
    """A test file or a prototype: place, index of the species, kind of mark, and tooltip."""

    x: float
    y: float
    species: int
    kind: str
    title: str


@dataclass(frozen=True)
class Label:
    """A species' name at a place where it overlaps no other name, if there is one."""

    x: float
    y: float
    species: int
    text: str


@dataclass(frozen=True)
class Map:
    """The points and labels of the map; `left_out` test files are not on it."""

    points: tuple[Point, ...]
    labels: tuple[Label, ...]
    left_out: int


def layout_map(evaluation: Evaluation) -> Map | None:
    """Place test files and prototypes so that neighbours stay neighbours.

    Long distances on the map mean little.

    Returns:
        The map, or None with fewer than MIN_POINTS points.
    """
    gallery = evaluation.gallery
    vectors = np.concatenate([evaluation.images.vectors, evaluation.audio.vectors])
    species = np.concatenate([evaluation.images.labels, evaluation.audio.labels])
    kinds = [Sense.IMAGE] * len(evaluation.images.labels) + [Sense.AUDIO] * len(
        evaluation.audio.labels
    )
    paths = [*evaluation.image_paths, *evaluation.audio_paths]
    kept = np.sort(np.random.default_rng(0).permutation(len(vectors))[:MAX_FILES])
    rows = np.flatnonzero(np.isin(gallery.owner, species))
    joined = np.concatenate([vectors[kept], gallery.vectors[rows]])
    if len(joined) < MIN_POINTS:
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
    # One thread: on a busy machine OpenMP's threads wait for each other, which is ten times slower.
    with threadpool_limits(1):
        flat = TSNE(2, perplexity=perplexity, init="random", random_state=0).fit_transform(vectors)
    low, high = flat.min(axis=0), flat.max(axis=0)
    room = np.array([WIDTH, HEIGHT]) - 2 * MARGIN
    return np.asarray(np.round(MARGIN + room * (flat - low) / np.maximum(high - low, 1e-9), 1))


def _place_labels(prototypes: list[Point], names: tuple[str, ...]) -> tuple[Label, ...]:
    taken: list[tuple[float, float, float]] = []  # left, right, baseline
    labels: list[Label] = []
    for index in dict.fromkeys(point.species for point in prototypes):
        own = [point for point in prototypes if point.species == index]
        # Near the prototype closest to the others: the mean of the prototypes may lie far from all.
        anchor = min(
            own,
            key=lambda point: sum(np.hypot(point.x - other.x, point.y - other.y) for other in own),
        )
        text = names[index] if len(names[index]) <= 24 else f"{names[index][:23]}…"
        half = CHARACTER_PX * len(text) / 2
        x = min(max(anchor.x, half), WIDTH - half)
        for shift in (0, *(sign * step for step in range(1, 9) for sign in (-1, 1))):
            y = anchor.y - 9 + shift * LINE_PX * 0.8
            if not any(
                x - half < right and left < x + half and abs(y - base) < LINE_PX
                for left, right, base in taken
            ):
                break
        taken.append((x - half, x + half, y))
        labels.append(Label(round(x, 1), round(y, 1), index, text))
    return tuple(labels)
