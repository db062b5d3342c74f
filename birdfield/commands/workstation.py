"""Commands `train` and `export`: they import TensorFlow only when they run."""

import importlib.util
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from birdfield.errors import InputError, MissingError, UsageError
from birdfield.model.sense import SENSES, Sense

if TYPE_CHECKING:
    from birdfield.model.encoder import Encoder
    from birdfield.model.gallery import Gallery

PACKAGES = ("tensorflow", "matplotlib", "sklearn")
LicenceOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help="The licence of the data, which info prints.")
]


def require_tensorflow() -> None:
    """Check that the `train` extra is installed, and silence TensorFlow's log.

    Raises:
        MissingError: When a package is missing.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingError(
            f"{', '.join(missing)} is not installed; training and export need it: "
            "pip install 'birdfield[train]'"
        )
    for name in ("absl", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _silent_stderr():
        import tensorflow

        tensorflow.constant(0)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Discard stderr of C++ code: TensorFlow's first lines ignore the log level."""
    sys.stderr.flush()
    saved = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def open_run(path: Path) -> tuple["Encoder", "Gallery"]:
    """Open a training run; return its encoder and its gallery."""
    require_tensorflow()
    from birdfield_train.run_encoder import Run, RunEncoder

    run = Run(path)
    return RunEncoder(run), run.gallery()


def train(
    image_dir: Annotated[
        Path, typer.Argument(metavar="IMAGE_DIR", help="Photographs, one folder for each species.")
    ],
    audio_dir: Annotated[
        Path, typer.Argument(metavar="AUDIO_DIR", help="Recordings, one folder for each species.")
    ],
    run: Annotated[
        Path, typer.Option("--output", "-o", metavar="RUN", help="The folder to create.")
    ],
    image_backbone: Annotated[
        str, typer.Option(metavar="NAME", help="vgg16 or efficientnet-lite0.")
    ] = "vgg16",
    frontend: Annotated[
        str, typer.Option(metavar="NAME", help="The network for sound: yamnet or birdnet.")
    ] = "yamnet",
    yamnet: Annotated[
        str | None,
        typer.Option(metavar="DIR|URL", help="A SavedModel instead of the packaged YAMNet."),
    ] = None,
    image_weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keras weights instead of the packaged ones."),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV", help="Species' names, with the columns label,scientific,lang,name."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="The seed of folds, batches and weights.")
    ] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing run.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail if a file is unusable.")] = False,
    senses: Annotated[
        str,
        typer.Option(metavar="SENSES", help="image, audio or both; the other folder is not read."),
    ] = Sense.BOTH,
    background: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--no-bird",
            metavar="IMAGE_DIR AUDIO_DIR",
            help="Photographs and recordings without a bird, without subfolders; default: "
            "generated ones.",
        ),
    ] = None,
    licence: LicenceOption = None,
) -> None:
    """Train a model on photographs and recordings.

    Cross-validation, with each recording in one fold, measures its accuracy.
    """
    from birdfield.model.audio_specs import spec_of

    spec_of(frontend)
    if senses not in SENSES:
        raise UsageError(f"--senses is {senses!r}; expected one of {', '.join(SENSES)}")
    require_tensorflow()
    from birdfield.commands.training_progress import training_progress
    from birdfield_train.config import TrainConfig
    from birdfield_train.pipeline import train as train_run
    from birdfield_train.run_folder import RunConflict

    config = TrainConfig(
        image_dir,
        audio_dir,
        run,
        image_backbone=image_backbone,
        frontend=frontend,
        image_weights=image_weights,
        yamnet=yamnet,
        names=names,
        seed=seed,
        strict=strict,
        senses=Sense(senses),
        background=background,
        licence=licence,
    )
    try:
        with training_progress() as reporter:
            train_run(config, reporter, resume, force)
    except RunConflict as conflict:
        options = ", ".join(f"--{remedy}" for remedy in conflict.remedies)
        raise InputError(f"{conflict} ({options})") from conflict
    print(run)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished training run.")],
    out: Annotated[
        Path, typer.Option("--output", "-o", metavar="NAME.birdfield", help="The bundle to create.")
    ],
    image_precision: Annotated[
        str, typer.Option(metavar="NAME", help="int8, dynamic or float.")
    ] = "int8",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing bundle.")] = False,
    licence: LicenceOption = None,
) -> None:
    """Quantise a trained model and pack it as a bundle."""
    precisions = ("int8", "dynamic", "float")
    if image_precision not in precisions:
        raise UsageError(
            f"--image-precision is {image_precision!r}; expected one of {', '.join(precisions)}"
        )
    require_tensorflow()
    from birdfield_export.pack import ExportConfig
    from birdfield_export.pack import export as export_run

    config = ExportConfig(image_precision, force, licence)
    export_run(run, out, config, lambda line: print(line, file=sys.stderr))
    print(out)
