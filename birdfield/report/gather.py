"""Gathering: collects the data of a report while the evaluated model is open."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from birdfield.evaluate.evaluation import Measurement
from birdfield.evaluate.pairs import fuse_rows
from birdfield.model.prototypes import Fuse
from birdfield.report.evaluation import Evaluation
from birdfield.report.summary import read_summary


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
        read_summary(model),
        files.problems,
        measurement.unknown,
        measurement.background,
    )
