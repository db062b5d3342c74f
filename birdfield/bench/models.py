"""Benchmark: measures models, BirdNET, the match, and the processes of watches."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from birdfield.bench.figures import BirdNetFigures, Figures, ModelFigures
from birdfield.bench.gallery_curve import time_galleries
from birdfield.bench.ratios import median_ratios
from birdfield.bench.stages import birdnet_stage, model_stages
from birdfield.bench.timing import Progress, Timings, interleave
from birdfield.bench.watching import WatchFigures, measure_watch, write_scenes
from birdfield.model.bundle import Bundle
from birdfield.model.gallery import Gallery
from birdfield.model.sense import Sense


@dataclass(frozen=True)
class Candidate:
    """A model to measure: its path, its bundle and its gallery."""

    path: Path
    bundle: Bundle
    gallery: Gallery


def measure(
    models: Sequence[Candidate],
    threads: int,
    against_birdnet: bool,
    max_species: int | None,
    progress: Progress,
) -> Figures:
    """Measure models in turn.

    Args:
        models: The models; at least one.
        threads: Threads of each interpreter.
        against_birdnet: Whether to measure BirdNET too.
        max_species: The most species of the gallery curve; None for no curve.
        progress: Called after each round and each watch.

    Raises:
        MissingError: When `against_birdnet` is set and BirdNET is not installed.
        InputError: When a model cannot be run.
    """
    stages = [model_stages(each.bundle, each.gallery, threads) for each in models]
    if against_birdnet:
        stages.append([birdnet_stage(threads)])
    curve = time_galleries(max_species, models[0].gallery) if max_species is not None else []
    timings = interleave(stages, progress, threads=threads)
    birdnet = BirdNetFigures(threads, timings.pop()) if against_birdnet else None
    watches = _measure_watches(models, threads, progress)
    bundles = [each.bundle for each in models]
    ratios = median_ratios(
        list(zip(bundles, timings, strict=True)), birdnet.stages if birdnet else None
    )
    entries = (
        _model_figures(*parts, threads) for parts in zip(models, timings, watches, strict=True)
    )
    return Figures(tuple(entries), ratios, birdnet, tuple(curve))


def _measure_watches(
    models: Sequence[Candidate], threads: int, progress: Progress
) -> list[WatchFigures]:
    found = []
    with tempfile.TemporaryDirectory() as folder:
        scenes = write_scenes(Path(folder))
        for done, each in enumerate(models, 1):
            window_s = each.bundle.audio_spec.window_s
            found.append(measure_watch(each.path, scenes, window_s, threads))
            progress("watch", done, len(models))
    return found


def _model_figures(
    model: Candidate, timings: Timings, watch: WatchFigures, threads: int
) -> ModelFigures:
    manifest = model.bundle.manifest
    return ModelFigures(
        str(model.path),
        model.bundle.model_id,
        threads,
        manifest.audio.name,
        f"{manifest.image_backbone} {manifest.towers[Sense.IMAGE].precision}",
        timings,
        watch,
    )
