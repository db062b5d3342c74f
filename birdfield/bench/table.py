"""What `bench` prints."""

from collections.abc import Mapping
from typing import Any


def to_table(figures: Mapping[str, Any]) -> str:
    """Write what `bench --json` holds for a person to read."""
    lines = []
    for entry in figures["models"]:
        lines += [
            f"{entry['model']}  ({entry['threads']} thread(s), {entry['frontend']}, image "
            f"{entry['image']})",
            *_stage_lines(entry["stages"]),
            *_process_lines(entry),
        ]
    if "birdnet" in figures:
        lines += ["BirdNET V2.4", *_stage_lines(figures["birdnet"]["stages"])]
    for row in figures.get("gallery", ()):
        lines.append(
            f"match among {row['species']:,} species, {row['prototypes']:,} prototypes: "
            f"{row['p50_ms']:.3f} ms, p95 {row['p95_ms']:.3f} ms"
        )
    return "\n".join(
        [*lines, *(f"{name} {value:.3f}" for name, value in figures["ratios"].items())]
    )


def _stage_lines(stages: Mapping[str, Mapping[str, float]]) -> list[str]:
    return [
        "  stage              p50 ms    p95 ms",
        *(
            f"  {name:16}  {row['p50_ms']:8.3f}  {row['p95_ms']:8.3f}"
            for name, row in stages.items()
        ),
    ]


def _process_lines(entry: Mapping[str, Any]) -> list[str]:
    memory, share = entry["watch_rss_mb"], entry["cpu"]
    return [
        f"  watch: first answer after {entry['cold_start_s']:.2f} s; resident "
        + ", ".join(f"{value:.0f} MB ({name})" for name, value in memory.items())
        + f"; of one core {share['busy']:.1%} busy, {share['idle']:.1%} idle"
    ]
