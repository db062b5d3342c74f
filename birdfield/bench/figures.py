"""Figures: the results of a benchmark and their JSON form."""

from collections.abc import Mapping
from dataclasses import dataclass

from birdfield.bench.gallery_curve import GalleryTiming
from birdfield.bench.timing import Timings
from birdfield.bench.watching import WatchFigures
from birdfield.model.birdnet import BIRDNET_SHA256


@dataclass(frozen=True)
class ModelFigures:
    """The results of one model.

    Attributes:
        model: The path of the bundle.
        model_id: The id of the model.
        threads: Threads of each interpreter.
        frontend: The name of the frontend.
        image: The backbone and the precision of the image tower.
        stages: The timings.
        watch: The cost of watching.
    """

    model: str
    model_id: str
    threads: int
    frontend: str
    image: str
    stages: Timings
    watch: WatchFigures

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "model": self.model,
            "id": self.model_id,
            "threads": self.threads,
            "frontend": self.frontend,
            "image": self.image,
            "stages": _stages_json(self.stages),
            **self.watch.to_json(),
        }


@dataclass(frozen=True)
class BirdNetFigures:
    """The results of BirdNET."""

    threads: int
    stages: Timings

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "sha256": BIRDNET_SHA256,
            "threads": self.threads,
            "stages": _stages_json(self.stages),
        }


@dataclass(frozen=True)
class Figures:
    """The results of a benchmark.

    Attributes:
        models: The results of each model.
        ratios: Ratios of medians by name.
        birdnet: The results of BirdNET; None when not measured.
        gallery: The times of matches; empty when not measured.
    """

    models: tuple[ModelFigures, ...]
    ratios: Mapping[str, float]
    birdnet: BirdNetFigures | None = None
    gallery: tuple[GalleryTiming, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the JSON form; what was not measured is absent."""
        entry: dict[str, object] = {
            "models": [model.to_json() for model in self.models],
            "ratios": dict(self.ratios),
        }
        if self.birdnet:
            entry["birdnet"] = self.birdnet.to_json()
        if self.gallery:
            entry["gallery"] = [row.to_json() for row in self.gallery]
        return entry


def _stages_json(timings: Timings) -> dict[str, dict[str, float]]:
    return {name: timing.to_json() for name, timing in timings.items()}
