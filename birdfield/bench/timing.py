"""Timing: times the stages of several models in turn.

Each round runs each stage of each model once, so that other load affects all models equally; the
first rounds do not count. With one thread the clock is processor time, which excludes the time of
other programs; with several threads it is elapsed time.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

ROUNDS = 40
WARM_ROUNDS = 5

Job = Callable[[], object]
Progress = Callable[[str, int, int], None]  # the name of a stage, steps done, all steps


@dataclass(frozen=True)
class Stage:
    """A job to time.

    Attributes:
        name: The name of the stage.
        job: Runs the stage.
        share: The share of the job's time that counts: 1/4 of a job that runs the stage four times.
    """

    name: str
    job: Job
    share: float = 1.0


@dataclass
class Timing:
    """The times of one stage, in order."""

    times_ms: list[float] = field(default_factory=list)

    @property
    def p50_ms(self) -> float:
        """The median."""
        return float(np.median(self.times_ms))

    @property
    def p95_ms(self) -> float:
        """The 95th percentile."""
        return float(np.quantile(self.times_ms, 0.95))

    def to_json(self) -> dict[str, float]:
        """Return the JSON form."""
        return {"p50_ms": round(self.p50_ms, 4), "p95_ms": round(self.p95_ms, 4)}


Timings = dict[str, Timing]  # by the name of the stage


def interleave(
    models: Sequence[Sequence[Stage]],
    progress: Progress,
    rounds: int | None = None,
    threads: int = 1,
) -> list[Timings]:
    """Time each stage of each model once a round.

    Args:
        models: The stages of each model.
        progress: Called after each round.
        rounds: Rounds that count; None for ROUNDS.
        threads: Threads of each interpreter.

    Returns:
        The timings of each model.
    """
    counted = ROUNDS if rounds is None else rounds
    clock = time.process_time if threads == 1 else time.perf_counter
    timings: list[Timings] = [{stage.name: Timing() for stage in stages} for stages in models]
    for number in range(WARM_ROUNDS + counted):
        for stages, found in zip(models, timings, strict=True):
            for stage in stages:
                time_ms = _run_ms(stage.job, clock) * stage.share
                if number >= WARM_ROUNDS:
                    found[stage.name].times_ms.append(time_ms)
        progress("rounds", number + 1, WARM_ROUNDS + counted)
    return timings


def _run_ms(job: Job, clock: Callable[[], float]) -> float:
    started_s = clock()
    job()
    return (clock() - started_s) * 1000
