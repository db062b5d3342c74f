"""Training progress: shows the stages of `train` on stderr."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

if TYPE_CHECKING:
    from birdfield_train.config import Reporter


@contextmanager
def training_progress() -> "Iterator[Reporter]":
    """Show a progress bar for each stage on stderr; print lines if it is not a terminal."""
    from birdfield_train.config import Reporter
    from birdfield_train.history import EpochMetrics

    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description:<11}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[figures]}"),
        console=console,
    )
    tasks: dict[str, TaskID] = {}

    def step(name: str, done: int, total: int, figures: str = "") -> None:
        if name not in tasks:
            tasks[name] = bars.add_task(name, total=total, figures="")
        bars.update(tasks[name], completed=done, figures=figures)
        if not console.is_terminal and done == total:
            print(f"{name}: {done}/{total} {figures}", file=sys.stderr)

    def epoch(stage: str, epochs: int, metrics: EpochMetrics) -> None:
        step(
            stage,
            metrics.epoch,
            epochs,
            f"loss {metrics.loss:.3f}  active {metrics.active:.2f}  "
            f"d_ap {metrics.d_ap:.2f}  d_an {metrics.d_an:.2f}  spread {metrics.spread:.2f}",
        )

    def say(sentence: str) -> None:
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    bars.disable = not console.is_terminal
    with bars:
        yield Reporter(step, epoch, say)
