"""Gathering: collects the data of a report while the evaluated model is open."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from birdfield.evaluate.evaluation import Measurement
from birdfield.evaluate.pairs import fuse_rows
from birdfield.model.prototypes import Fuse
from birdfield.paths import resolve_model
from birdfield.report.evaluation import Evaluation


def gather(fuse: Fuse, measurement: Measurement, model: Path, argv: Sequence[str]) -> Evaluation:
    """Collect the data of a report.

    Args:
        fuse: The fusion of the evaluated model.
        measurement: The result of the evaluation.
        model: The folder of the bundle or of the run.
        argv: The command line, with the program first.
    """
    files = measurement.files
    return Evaluation(
        measurement.figures,
        measurement.scores,
        replace(files.images, vectors=fuse_rows(fuse, files.images.vectors, None)),
        replace(files.audio, vectors=fuse_rows(fuse, None, files.audio.vectors)),
        files.image_paths,
        files.audio_paths,
        measurement.scores.gallery,
        shlex.join([Path(argv[0]).name, *argv[1:]]),
        read_manifest(model),
        files.problems,
        measurement.unknown,
        measurement.background,
    )


def read_manifest(model: Path) -> Mapping[str, object]:
    """Read the manifest of a bundle, or the summary of a run; empty when unreadable."""
    folder = resolve_model(model)
    for name in ("manifest.json", "run.json"):
        try:
            entry = json.loads((folder / name).read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(entry, dict):
            return entry
    return {}
