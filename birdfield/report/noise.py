"""Noise tables: groups the figures of a noise test by damage and by kind of noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from birdfield.evaluate.figures import NoiseFigures
from birdfield.model.sense import SENSES, Sense


@dataclass(frozen=True)
class Condition:
    """A kind of noise or damage, with mean top-1 by sense; None where not measured."""

    name: str
    top1: Mapping[Sense, float | None]


def undamaged(rows: Sequence[NoiseFigures]) -> list[NoiseFigures]:
    """Return the rows with undamaged pictures."""
    return [row for row in rows if row.image_damage == "clean"]


def damages(rows: Sequence[NoiseFigures]) -> list[Condition]:
    """Return top-1 for each damage to the picture, with clean sound, starting with no damage."""
    clean = [row for row in rows if row.snr_db is None]
    names = dict.fromkeys(row.image_damage for row in clean if row.image_damage != "clean")
    if not names:
        return []
    return [
        _condition("no damage", undamaged(clean)),
        *(_condition(name, [row for row in clean if row.image_damage == name]) for name in names),
    ]


def worst_kinds(rows: Sequence[NoiseFigures], most: int = 5) -> list[Condition]:
    """Return the kinds of noise that lower top-1 by audio most, from faintest to loudest level.

    Each kind has its own recordings, the same at each level, so top-1 does not compare kinds.
    """
    kinds: dict[str, dict[int, NoiseFigures]] = {}
    for row in undamaged(rows):
        if row.snr_db is not None and row.audio_top1 is not None:
            kinds.setdefault(row.noise, {})[row.snr_db] = row
    losses = {kind: _loss(levels) for kind, levels in kinds.items()}
    worst = sorted(losses, key=lambda kind: -losses[kind])[:most]
    return [_condition(kind, list(kinds[kind].values())) for kind in worst]


def _loss(levels: Mapping[int, NoiseFigures]) -> float:
    """Return how much lower top-1 by audio is at the loudest noise than at the faintest."""
    loudest, faintest = levels[min(levels)].audio_top1, levels[max(levels)].audio_top1
    assert loudest is not None and faintest is not None  # `worst_kinds` keeps only measured rows
    return faintest - loudest


def _condition(name: str, rows: Sequence[NoiseFigures]) -> Condition:
    values = {
        sense: [top1 for row in rows if (top1 := row.top1(sense)) is not None] for sense in SENSES
    }
    return Condition(
        name.replace("_", " "),
        {sense: float(np.mean(found)) if found else None for sense, found in values.items()},
    )
