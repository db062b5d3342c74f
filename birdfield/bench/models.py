"""One run of `bench`: every model, BirdNET, the gallery's curve, and the processes of `watch`."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from birdfield.bench.stages import stages
from birdfield.bench.timing import (
    Progress,
    birdnet_stage,
    gallery_curve,
    interleave,
    ratios,
    to_json,
)
from birdfield.bench.watching import footprint, write_scenes
from birdfield.model.bundle import Bundle
from birdfield.model.gallery import Gallery


def measure(
    models: Sequence[tuple[Path, Bundle, Gallery]],
    threads: int,
    against_birdnet: bool,
    species: int | None,
    progress: Progress,
) -> dict[str, Any]:
    """Measure models side by side.

    Args:
        models: Each one's folder, bundle and species.
        threads: Of each interpreter.
        against_birdnet: Whether BirdNET is one of the contestants.
        species: Up to how many the match is timed among; None leaves it out.
        progress: Called with what is done, how much of it, and all.

    Returns:
        What `bench --json` writes.

    Raises:
        MissingError: When BirdNET is wanted and not installed.
        InputError: When a model cannot be run.
    """
    contestants = [stages(bundle, gallery, threads) for _, bundle, gallery in models]
    if against_birdnet:
        contestants.append([birdnet_stage(threads)])
    curve = gallery_curve(species, models[0][2]) if species is not None else []
    timings = interleave(contestants, progress, threads=threads)
    birdnet = timings.pop() if against_birdnet else None
    entries = []
    with tempfile.TemporaryDirectory() as folder:
        scenes = write_scenes(Path(folder))
        for done, ((path, bundle, _), timing) in enumerate(zip(models, timings, strict=True), 1):
            entries.append(
                {
                    "model": str(path),
                    "id": bundle.model_id,
                    "threads": threads,
                    "frontend": bundle.audio_spec.name,
                    "image": f"{bundle.manifest.image_backbone} "
                    f"{bundle.manifest.towers['image'].precision}",
                    "stages": {name: timed.to_json() for name, timed in timing.items()},
                    **footprint(path, scenes, bundle.audio_spec.window_s, threads),
                }
            )
            progress("watch", done, len(models))
    found = ratios(
        [(bundle, timing) for (_, bundle, _), timing in zip(models, timings, strict=True)], birdnet
    )
    return to_json(entries, found, birdnet, threads, curve)
