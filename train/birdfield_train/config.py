"""Training configuration: the options of a run, and the callbacks that follow its progress."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from birdfield.model.audio_specs import spec_of
from birdfield.model.sense import EACH_SENSE, Sense
from birdfield_train.features import Progress
from birdfield_train.fit import FitConfig
from birdfield_train.history import EpochMetrics
from birdfield_train.selection import Grid

StageEpoch = Callable[[str, int, EpochMetrics], None]  # stage, its number of epochs, metrics


@dataclass(frozen=True)
class TrainConfig:
    """The options of a training run.

    Attributes:
        image_dir: Photographs, one folder per species.
        audio_dir: Recordings, one folder per species.
        run: The folder to create.
        image_backbone: A name in `backbones.BACKBONES`.
        frontend: A name in `birdfield.model.audio_specs.SPECS`.
        image_weights: A Keras weights file that replaces the packaged weights, or None.
        yamnet: A SavedModel folder or URL that replaces the packaged YAMNet, or None.
        names: A CSV file with scientific names and names in other languages, or None.
        seed: Seed of the folds, the batches and the initial weights.
        strict: Whether an unusable file ends the run.
        senses: The senses to read and train.
        background: Folders of photographs and recordings without a bird; None to generate some.
        licence: The licence of the data in one line, or None.
        fit: How the heads are trained.
        grid: The options that cross-validation compares.
    """

    image_dir: Path
    audio_dir: Path
    run: Path
    image_backbone: str = "vgg16"
    frontend: str = "yamnet"
    image_weights: Path | None = None
    yamnet: str | None = None
    names: Path | None = None
    seed: int = 0
    strict: bool = False
    senses: Sense = Sense.BOTH
    background: tuple[Path, Path] | None = None
    licence: str | None = None
    fit: FitConfig = field(default_factory=FitConfig)
    grid: Grid = field(default_factory=Grid)

    def fingerprint(self) -> dict[str, object]:
        """Return the options that must be equal when a run is resumed, as JSON values."""
        options: dict[str, object] = {
            "image_dir": str(self.image_dir.resolve()),
            "audio_dir": str(self.audio_dir.resolve()),
            "seed": self.seed,
            "image_backbone": self.image_backbone,
            "frontend": self.frontend,
            "yamnet": self.yamnet,
            "image_weights": str(self.image_weights) if self.image_weights else None,
            "senses": self.senses,
            "no_bird": [str(path.resolve()) for path in self.background or ()],
            "fit": asdict(self.fit),
        }
        class_dim = spec_of(self.frontend).class_dim
        return {**options, "evidence": class_dim} if class_dim else options

    @property
    def each_sense(self) -> tuple[Sense, ...]:
        """The senses to read, one by one."""
        return EACH_SENSE if self.senses == Sense.BOTH else (self.senses,)


@dataclass(frozen=True)
class Reporter:
    """Callbacks for the progress of a run.

    Attributes:
        step: Called after each group of files with their kind, the number done and the total.
        epoch: Called after each epoch with the stage, its number of epochs and the metrics.
        say: Called with each sentence for the user.
    """

    step: Progress
    epoch: StageEpoch
    say: Callable[[str], None]
