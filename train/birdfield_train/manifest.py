"""Run manifest: the values that run.json records of a run, and the names of a run's files."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from birdfield.errors import InputError
from birdfield.model.audio_specs import SPECS
from birdfield.model.calibration import Calibration
from birdfield.model.sense import Sense
from birdfield.signals.image import ImageSpec
from birdfield.signals.windows import AudioSpec
from birdfield_train.fit import FitConfig

FORMAT = 3
RUN_FILE = "run.json"
YAMNET_FILE = "yamnet.tflite"
HEADS_FILE = "heads.npz"
GALLERY_FILE = "species.npz"
CALIBRATION_FILE = "calibration.npz"
REPORT_FILE = "cv.json"
TAIL_FILE = "tail.npz"  # only in a run with a fine-tuned base
IMAGE_WEIGHTS_FILE = "image.weights.h5"  # only in a run with weights of the user's own
FILES = (YAMNET_FILE, HEADS_FILE, GALLERY_FILE, CALIBRATION_FILE, REPORT_FILE)  # in every run


@dataclass(frozen=True)
class FrontendId:
    """A frontend and the SHA-256 of its model file."""

    name: str
    sha256: str


@dataclass(frozen=True)
class FitRecord:
    """How the heads of a run were trained.

    Attributes:
        config: The options of the fit.
        epochs: Epochs on all samples, chosen by cross-validation.
        gain: Weight of sound in the fusion, chosen by cross-validation.
    """

    config: FitConfig
    epochs: int
    gain: float

    def to_json(self) -> dict[str, object]:
        """Return the entry of run.json."""
        return {**asdict(self.config), "epochs": self.epochs, "gain": self.gain}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "FitRecord":
        """Read an entry; raises KeyError, TypeError or ValueError when malformed."""
        config = FitConfig(**{name.name: entry[name.name] for name in fields(FitConfig)})
        return cls(config, int(entry["epochs"]), float(entry["gain"]))


@dataclass(frozen=True)
class DataCounts:
    """The number of species, of files of each sense, and of unusable files."""

    species: int
    photographs: int
    recordings: int
    skipped: int


@dataclass(frozen=True)
class RunManifest:
    """The content of run.json.

    Attributes:
        image_backbone: Name of the convolutional base.
        backbone_key: Identifies the weights of the base.
        own_image_weights: Whether the run holds weights of the user's own for the base.
        image: How the base's input is preprocessed.
        channels: Channels of the base's last maps.
        frontend: The frontend.
        audio: Spec of the frontend.
        calibration: Fitted on all folds.
        seed: Seed of the run.
        fit: How the heads were trained.
        data: Counts of the data.
        senses: The senses that were trained.
        data_licence: The licence of the data, or None.
        licences: The licences of the weights.
    """

    image_backbone: str
    backbone_key: str
    own_image_weights: bool
    image: ImageSpec
    channels: int
    frontend: FrontendId
    audio: AudioSpec
    calibration: Calibration
    seed: int
    fit: FitRecord
    data: DataCounts
    senses: Sense
    data_licence: str | None
    licences: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Return the content of run.json."""
        return {
            "format": FORMAT,
            "image_backbone": self.image_backbone,
            "backbone_key": self.backbone_key,
            "own_image_weights": self.own_image_weights,
            "image": image_to_json(self.image),
            "channels": self.channels,
            "frontend": asdict(self.frontend),
            "audio": self.audio.to_json(),
            "calibration": self.calibration.to_json(),
            "seed": self.seed,
            "fit": self.fit.to_json(),
            "data": asdict(self.data),
            "senses": self.senses,
            "data_licence": self.data_licence,
            "licences": list(self.licences),
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "RunManifest":
        """Read the content of run.json; raises KeyError, TypeError or ValueError when malformed."""
        frontend, data = entry["frontend"], entry["data"]
        return cls(
            str(entry["image_backbone"]),
            str(entry["backbone_key"]),
            bool(entry["own_image_weights"]),
            ImageSpec.from_json(entry["image"]),
            int(entry["channels"]),
            FrontendId(str(frontend["name"]), str(frontend["sha256"])),
            SPECS[frontend["name"]],
            Calibration.from_json(entry["calibration"]),
            int(entry["seed"]),
            FitRecord.from_json(entry["fit"]),
            DataCounts(*(int(data[name.name]) for name in fields(DataCounts))),
            Sense(entry.get("senses", Sense.BOTH)),
            entry.get("data_licence"),
            tuple(map(str, entry["licences"])),
        )


def image_to_json(spec: ImageSpec) -> dict[str, object]:
    """Return the entry of the image input in run.json and in a bundle's manifest."""
    return {
        "size_px": spec.size_px,
        "order": spec.order,
        "mean": list(spec.mean),
        "scale": spec.scale,
    }


def read_manifest(folder: Path) -> RunManifest:
    """Read the manifest of a complete run.

    Raises:
        InputError: When there is none, it has another format, or its frontend has changed since.
    """
    path = folder / RUN_FILE
    try:
        entry = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder}: not a complete run ({error}); expected a folder that training wrote"
        ) from error
    found = entry.get("format") if isinstance(entry, dict) else None
    if found != FORMAT:
        raise InputError(f"{folder}: run format {found!r}, expected {FORMAT}; train it again")
    try:
        manifest = RunManifest.from_json(entry)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: malformed ({error!r}); train the run again") from error
    # Within format 3, BirdNET's embeddings gained a projection of its class scores.
    if manifest.audio.class_dim and entry.get("audio") != manifest.audio.to_json():
        raise InputError(
            f"{folder}: {manifest.audio.name} in this version of birdfield computes other "
            "embeddings than the run was trained on; train it again"
        )
    return manifest
