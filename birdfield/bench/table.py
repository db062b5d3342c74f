"""Table: writes the figures of a benchmark for a person."""

from birdfield.bench.figures import Figures
from birdfield.bench.timing import Timings
from birdfield.bench.watching import WatchFigures


def to_table(figures: Figures) -> str:
    """Write all figures."""
    lines = []
    for model in figures.models:
        lines += [
            f"{model.model}  ({model.threads} thread(s), {model.frontend}, image {model.image})",
            *_stage_lines(model.stages),
            _watch_line(model.watch),
        ]
    if figures.birdnet:
        lines += ["BirdNET V2.4", *_stage_lines(figures.birdnet.stages)]
    for row in figures.gallery:
        lines.append(
            f"match among {row.species:,} species, {row.prototypes:,} prototypes: "
            f"{row.timing.p50_ms:.3f} ms, p95 {row.timing.p95_ms:.3f} ms"
        )
    return "\n".join([*lines, *(f"{name} {value:.3f}" for name, value in figures.ratios.items())])


def _stage_lines(timings: Timings) -> list[str]:
    return [
        "  stage              p50 ms    p95 ms",
        *(
            f"  {name:16}  {timing.p50_ms:8.3f}  {timing.p95_ms:8.3f}"
            for name, timing in timings.items()
        ),
    ]


def _watch_line(watch: WatchFigures) -> str:
    memory = ", ".join(f"{value:.0f} MB ({name})" for name, value in watch.rss_mb.items())
    return (
        f"  watch: first answer after {watch.cold_start_s:.2f} s; resident {memory}; "
        f"of one core {watch.busy_cpu:.1%} busy, {watch.idle_cpu:.1%} idle"
    )
