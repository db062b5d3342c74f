"""The commands that need a workstation: they import TensorFlow only when they run."""

import importlib.util
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from birdfield.errors import MissingError, UsageError
from birdfield.model.sense import SENSES, Sense

if TYPE_CHECKING:
    from birdfield.model.encoder import Encoder
    from birdfield.model.gallery import Gallery

NEEDED = ("tensorflow", "matplotlib", "sklearn")
LicenceOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help="The data's licence, a line that `info` prints.")
]


def require_tensorflow() -> None:
    """Check that the train extra is installed, before anything is begun.

    Raises:
        MissingError: When a package of it is missing.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
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
    """Drop what C++ code writes to stderr: TensorFlow's first lines obey no log level."""
    sys.stderr.flush()
    kept = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def open_run(path: Path) -> tuple["Encoder", "Gallery"]:
    """Open a training run as an encoder with its gallery."""
    require_tensorflow()
    from birdfield_train.run_encoder import Run, RunEncoder

    run = Run(path)
    return RunEncoder(run), run.gallery()


def train(
    image_dir: Annotated[
        Path, typer.Argument(metavar="IMAGE_DIR", help="Photographs, a folder a species.")
    ],
    audio_dir: Annotated[
        Path, typer.Argument(metavar="AUDIO_DIR", help="Recordings, a folder a species.")
    ],
    run: Annotated[Path, typer.Option("--output", "-o", metavar="RUN", help="The folder to make.")],
    image_backbone: Annotated[
        str, typer.Option(help="The convolutional base: vgg16 or efficientnet-lite0.")
    ] = "vgg16",
    frontend: Annotated[
        str, typer.Option(help="What reads the sound: yamnet or birdnet.")
    ] = "yamnet",
    yamnet: Annotated[
        str | None,
        typer.Option(metavar="DIR|URL", help="A SavedModel in place of the packaged YAMNet."),
    ] = None,
    image_weights: Annotated[
        Path | None, typer.Option(help="A Keras weights file in place of the packaged one.")
    ] = None,
    names: Annotated[Path | None, typer.Option(help="CSV: label,scientific,lang,name.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides folds, batches and weights.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing run.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse data with an unusable file.")
    ] = False,
    senses: Annotated[
        str, typer.Option(help="image, audio or both; the folder of the other sense is not read.")
    ] = Sense.BOTH,
    no_bird: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="IMAGE_DIR AUDIO_DIR",
            help="Photographs and recordings of no bird, in two flat "
            "folders; else some made by code.",
        ),
    ] = None,
    licence: LicenceOption = None,
) -> None:
    """Train the fused encoder; cross-validated by recording."""
    from birdfield.model.audio_specs import spec_of

    spec_of(frontend)
    if senses not in SENSES:
        raise UsageError(f"senses are {senses!r}; expected one of {', '.join(SENSES)}")
    require_tensorflow()
    from birdfield_train.run import TrainConfig
    from birdfield_train.run import train as train_run

    config = TrainConfig(
        image_dir,
        audio_dir,
        run,
        image_backbone,
        frontend,
        image_weights,
        yamnet,
        names,
        seed,
        strict,
        senses,
        no_bird,
        licence,
    )
    with _reporter() as reporter:
        train_run(config, reporter, resume, force)
    print(run)


@contextmanager
def _reporter() -> Iterator[Any]:
    """Show a bar for each stage on stderr; plain lines where it is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from birdfield_train.run import Reporter

    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description:<11}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[figures]}"),
        console=console,
    )
    tasks: dict[str, Any] = {}

    def step(what: str, done: int, total: int, figures: str = "") -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total, figures="")
        bars.update(tasks[what], completed=done, figures=figures)
        if not console.is_terminal and done == total:
            print(f"{what}: {done}/{total} {figures}", file=sys.stderr)

    def epoch(stage: str, done: int, total: int, row: Mapping[str, float]) -> None:
        step(
            stage,
            done,
            total,
            f"loss {row['loss']:.3f}  active {row['active']:.2f}  "
            f"d_ap {row['d_ap']:.2f}  d_an {row['d_an']:.2f}  spread {row['spread']:.2f}",
        )

    def say(sentence: str) -> None:
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    bars.disable = not console.is_terminal
    with bars:
        yield Reporter(step, epoch, say)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished training run.")],
    out: Annotated[
        Path, typer.Option("--output", "-o", metavar="NAME.birdfield", help="The bundle to make.")
    ],
    image_precision: Annotated[str, typer.Option(help="int8, dynamic or float.")] = "int8",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing bundle.")] = False,
    licence: LicenceOption = None,
) -> None:
    """Quantise a run's towers and pack them as a bundle for the Pi."""
    precisions = ("int8", "dynamic", "float")
    if image_precision not in precisions:
        raise UsageError(
            f"image precision is {image_precision!r}; expected one of {', '.join(precisions)}"
        )
    require_tensorflow()
    from birdfield_export.pack import export as export_run

    export_run(run, out, image_precision, force, lambda line: print(line, file=sys.stderr), licence)
    print(out)
