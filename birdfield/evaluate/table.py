"""What `evaluate` prints of noise, damage, unknown species and what is no bird."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from birdfield.model.sense import SENSES, Sense

TITLES = {"unknown": "unknown species", "no_bird": "no bird"}


def to_table(figures: dict[str, Any], senses: Sequence[str] = SENSES) -> str:
    """Write a report as a table for a person, of some SENSES."""
    lines = [
        f"{figures['species']} species tested, {figures['gallery']} in the gallery",
        "sense   top-1  95 % interval     n  recall@1  MAP@R  accepted    ECE",
    ]
    for sense in senses:
        row = figures[sense]
        if not row["n"]:
            lines.append(f"{sense:6}  nothing to test")
            continue
        low, high = row["top1_ci95"]
        numbers = [row["recall_at_1"], row["map_at_r"], row["accepted"], row["ece"]]
        texts = ["    -" if number is None else f"{number:.3f}" for number in numbers]
        lines.append(
            f"{sense:6}  {row['top1']:.3f}  [{low:.3f}, {high:.3f}]  {row['n']:5}  "
            f"{texts[0]:>8}  {texts[1]:>5}  {texts[2]:>8}  {texts[3]:>5}"
        )
    both = figures[Sense.BOTH]
    if both["n"]:
        lines.append(
            f"on the same {both['n']} pairs: image {both['image_top1']:.3f}, audio "
            f"{both['audio_top1']:.3f}, late fusion {figures['late_fusion']['top1']:.3f}"
        )
    return "\n".join([*lines, *damage_lines(figures), *stranger_lines(figures)])


def damage_lines(figures: dict[str, Any]) -> list[str]:
    """Write top-1 by signal-to-noise ratio with clean pictures, and by damage with clean sound."""
    if "noise" not in figures:
        return []
    rows = figures["noise"]
    if not rows:
        return ["noise: no species was tested by both a photograph and a recording"]
    kinds = {row["noise"] for row in rows if row["snr_db"] is not None}
    lines = [
        f"top-1, mean of {len(kinds)} kinds of noise".ljust(34) + "  image  audio   both      n"
    ]
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        snr_db, damage = row["snr_db"], row["image_damage"]
        if damage == "clean":
            title = "clean" if snr_db is None else f"sound at {snr_db} dB"
            groups.setdefault(title, []).append(row)
        elif snr_db is None:
            groups[f"picture {damage}"] = [row]
    return lines + [
        f"{title:34}"
        + "".join(f"{np.mean([row[f'{sense}_top1'] for row in group]):7.3f}" for sense in SENSES)
        + f"{round(np.mean([row['n'] for row in group])):7}"
        for title, group in groups.items()
    ]


def stranger_lines(figures: dict[str, Any]) -> list[str]:
    """Write how well unknown species, and what is no bird, are told from the known."""
    lines = []
    for key, title in TITLES.items():
        if key not in figures:
            continue
        lines.append(f"{title:16}  AUROC  FPR@95   OSCR   near    far      n")
        for sense in SENSES:
            row = figures[key].get(sense)
            if row is None:
                lines.append(f"  {sense:14}  {figures[key]['both_reason']}")
                continue
            numbers = [
                row["auroc"],
                row["fpr95"],
                row.get("oscr"),
                row.get("near", {}).get("auroc"),
                row.get("far", {}).get("auroc"),
            ]
            texts = ["-" if number is None else f"{number:.3f}" for number in numbers]
            lines.append(
                f"  {sense:14}  {texts[0]:>5}  {texts[1]:>6}"
                + "".join(f"  {text:>5}" for text in texts[2:])
                + f"  {row['n']:5}"
            )
    return lines
