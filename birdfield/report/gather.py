"""Gathering what the report needs while the evaluation's model is still open."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from birdfield.evaluate.files import EmbeddedFiles
from birdfield.evaluate.pairs import fuse_rows
from birdfield.evaluate.scores import Scored
from birdfield.evaluate.unknown import Separation
from birdfield.model.gallery import Gallery
from birdfield.model.prototypes import Fuse
from birdfield.model.sense import Sense
from birdfield.paths import resolve_model
from birdfield.report.evaluation import Evaluation


def gather(
    fuse: Fuse,
    gallery: Gallery,
    files: EmbeddedFiles,
    scored: Scored,
    figures: Mapping[str, Any],
    model: Path,
    argv: Sequence[str],
    separations: Mapping[str, Mapping[Sense, Separation]],
) -> Evaluation:
    """Gather what an evaluation measured.

    Args:
        fuse: Of the model.
        gallery: That was evaluated.
        files: The test files by their towers.
        scored: From `birdfield.evaluate.score`, with its default seed.
        figures: From `birdfield.evaluate.report`.
        model: The bundle's or the run's folder.
        argv: The command as it was typed.
        separations: "unknown" and "no_bird" as far as measured, each by sense.
    """
    return Evaluation(
        figures,
        scored,
        replace(files.images, vectors=fuse_rows(fuse, files.images.vectors, None)),
        replace(files.audio, vectors=fuse_rows(fuse, None, files.audio.vectors)),
        files.image_paths,
        files.audio_paths,
        gallery,
        shlex.join([Path(argv[0]).name, *argv[1:]]),
        read_summary(model),
        files.problems,
        separations,
    )


def read_summary(model: Path) -> Mapping[str, Any]:
    """Read what a bundle, the starter or a run says of itself; nothing when it cannot be read."""
    folder = resolve_model(model)
    for name in ("manifest.json", "run.json"):
        try:
            entry = json.loads((folder / name).read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(entry, dict):
            return entry
    return {}
