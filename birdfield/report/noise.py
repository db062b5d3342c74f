"""The rows that the report makes of an evaluation in noise and with damaged pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from birdfield.model.sense import SENSES

NONE = (None, "none", "clean")  # no noise, no damage


@dataclass(frozen=True)
class Condition:
    """A kind of noise or of damage, with top-1 by sense; None where it was not measured."""

    name: str
    top1: Mapping[str, float | None]


def undamaged(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Keep the rows whose picture is as it was."""
    return [row for row in rows if row.get("image_damage") in NONE]


def damages(rows: Sequence[Mapping[str, Any]]) -> list[Condition]:
    """Give top-1 for each damage to the picture, with clean sound, the undamaged one first."""
    clean = [row for row in rows if row["noise"] in NONE]
    names = list(
        dict.fromkeys(
            str(row.get("image_damage")) for row in clean if row.get("image_damage") not in NONE
        )
    )
    if not names:
        return []
    return [
        _condition("no damage", undamaged(clean)),
        *(
            _condition(name, [row for row in clean if str(row.get("image_damage")) == name])
            for name in names
        ),
    ]


def worst_kinds(rows: Sequence[Mapping[str, Any]], most: int = 5) -> list[Condition]:
    """Name the kinds of noise that cost sound the most, from their faintest level to their loudest.

    A kind has its own recordings, the same at each level: kinds are not compared by their top-1.
    """
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for row in undamaged(rows):
        if row["noise"] not in NONE and row.get("audio_top1") is not None:
            kinds.setdefault(row["noise"], []).append(row)
    levels = {
        kind: sorted(found, key=lambda row: float(row["snr_db"])) for kind, found in kinds.items()
    }
    lost = {
        kind: found[-1]["audio_top1"] - found[0]["audio_top1"] for kind, found in levels.items()
    }
    return [
        _condition(kind, kinds[kind]) for kind in sorted(lost, key=lambda kind: -lost[kind])[:most]
    ]


def _condition(name: str, rows: Sequence[Mapping[str, Any]]) -> Condition:
    values = {
        sense: [row[f"{sense}_top1"] for row in rows if row.get(f"{sense}_top1") is not None]
        for sense in SENSES
    }
    return Condition(
        str(name).replace("_", " "),
        {sense: float(np.mean(found)) if found else None for sense, found in values.items()},
    )
