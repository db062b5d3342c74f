"""Table: writes the figures of an evaluation for a person."""

from collections.abc import Sequence

import numpy as np

from birdfield.evaluate.figures import Figures, NoiseFigures, RejectionFigures, SenseFigures
from birdfield.model.sense import SENSES, Sense

HEADER = "sense   top-1  95 % interval     n  recall@1  MAP@R  accepted    ECE"


def to_table(figures: Figures, senses: Sequence[Sense] = SENSES) -> str:
    """Write all figures; the rows of the first table only for some senses."""
    lines = [
        f"{figures.species} species tested, {figures.gallery} in the gallery",
        HEADER,
        *(_sense_line(sense, figures.by_sense(sense)) for sense in senses),
    ]
    both = figures.both
    if both.n:
        lines.append(
            f"on the same {both.n} pairs: image {both.image_top1:.3f}, audio "
            f"{both.audio_top1:.3f}, late fusion {figures.late_fusion.top1:.3f}"
        )
    if figures.noise is not None:
        lines += noise_lines(figures.noise)
    if figures.unknown:
        lines += rejection_lines("unknown species", figures.unknown)
    if figures.background:
        lines += rejection_lines("background", figures.background)
    return "\n".join(lines)


def _sense_line(sense: Sense, figures: SenseFigures) -> str:
    if not figures.n:
        return f"{sense:6}  no test files"
    low, high = figures.top1_ci95
    return (
        f"{sense:6}  {figures.top1:.3f}  [{low:.3f}, {high:.3f}]  {figures.n:5}  "
        f"{_number(figures.recall_at_1, 8)}  {_number(figures.map_at_r, 5)}  "
        f"{_number(figures.accepted, 8)}  {_number(figures.ece, 5)}"
    )


def _number(value: float | None, width: int) -> str:
    """Write a figure right-aligned; a hyphen for one that was not measured."""
    return f"{'-' if value is None else f'{value:.3f}':>{width}}"


def noise_lines(rows: Sequence[NoiseFigures]) -> list[str]:
    """Write top-1 by noise level with clean pictures, and by damage with clean sound."""
    if not rows:
        return ["noise: no species has both a photograph and a recording"]
    kinds = {row.noise for row in rows if row.snr_db is not None}
    groups: dict[str, list[NoiseFigures]] = {}
    for row in rows:
        if row.image_damage == "clean":
            title = "clean" if row.snr_db is None else f"sound at {row.snr_db} dB"
            groups.setdefault(title, []).append(row)
        elif row.snr_db is None:
            groups[f"picture {row.image_damage}"] = [row]
    return [
        f"top-1, mean of {len(kinds)} kinds of noise".ljust(34) + "  image  audio   both      n",
        *(_noise_line(title, group) for title, group in groups.items()),
    ]


def _noise_line(title: str, group: Sequence[NoiseFigures]) -> str:
    means = (
        np.mean([top1 for row in group if (top1 := row.top1(sense)) is not None])
        for sense in SENSES
    )
    pairs = round(float(np.mean([row.n for row in group])))
    return f"{title:34}" + "".join(f"{value:7.3f}" for value in means) + f"{pairs:7}"


def rejection_lines(title: str, figures: RejectionFigures) -> list[str]:
    """Write how well a model rejects unknown species, or background."""
    lines = [f"{title:16}  AUROC  FPR@95   OSCR   near    far      n"]
    for sense in SENSES:
        row = figures.senses.get(sense)
        if row is None:
            lines.append(f"  {sense:14}  {figures.both_reason}")
            continue
        lines.append(
            f"  {sense:14}  {_number(row.auroc, 5)}  {_number(row.fpr95, 6)}  "
            f"{_number(row.oscr, 5)}  {_number(row.near.auroc if row.near else None, 5)}  "
            f"{_number(row.far.auroc if row.far else None, 5)}  {row.n:5}"
        )
    return lines
