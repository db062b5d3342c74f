"""Manifest: the contents of a bundle's manifest.json, parsed and checked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from birdfield.errors import InputError
from birdfield.model.audio_specs import SPECS
from birdfield.model.calibration import Calibration
from birdfield.model.encoder import DIM
from birdfield.model.json_fields import JsonFields
from birdfield.model.sense import SENSES, Sense
from birdfield.signals.image import ImageSpec
from birdfield.signals.windows import AudioSpec

FORMAT = 2
MAX_BYTES = 4_000_000
CROP_MARGINS = (0.5, 4.0)  # the range that a manifest may hold
SHOWN_IN_INFO = ("towers", "training", "minimum_runtime")  # objects, with any fields


@dataclass(frozen=True)
class Tower:
    """An exported tower.

    Attributes:
        precision: "float", "dynamic" or "int8".
        mean_cosine: Mean cosine of its embeddings to those of the trained tower, 0..1.
        min_cosine: Smallest of these cosines.
        size_bytes: Size of its file.
    """

    precision: str
    mean_cosine: float
    min_cosine: float
    size_bytes: int


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of a model in cross-validation, by one of SENSES.

    Attributes:
        samples: Number of samples tested.
        top1: Share of right answers, 0..1.
        top1_ci95: Bounds of its 95 % confidence interval.
    """

    samples: int
    top1: float
    top1_ci95: tuple[float, float]


@dataclass(frozen=True)
class Manifest:
    """The manifest of a bundle.

    Attributes:
        model: Id of the model, derived from its towers and its frontend.
        image: Input of the image tower.
        image_backbone: Name of the network under the image tower; None where it is not stated.
        crop_margin: Side of the square cut out for the image tower, by that of what moved; 1 in
            bundles from before it was measured.
        audio: Input of the audio tower, from its frontend.
        frontend_sha256: SHA-256 of the frontend's file.
        yamnet_sha256: SHA-256 of the YAMNet that scores classes.
        towers: The towers by name: "image", "audio" and "fusion".
        calibration: Meaning of the model's similarities.
        accuracy: Accuracy in cross-validation, by the senses that were tested.
        data_licence: Licence of the training data; None where it is not stated.
        licences: Licences of the model's parts.
        files: SHA-256 of each file of the bundle, by name.
        document: The JSON object as it was read, with fields that this birdfield does not know;
            for display only.
    """

    model: str
    image: ImageSpec
    image_backbone: str | None
    crop_margin: float
    audio: AudioSpec
    frontend_sha256: str
    yamnet_sha256: str
    towers: Mapping[str, Tower]
    calibration: Calibration
    accuracy: Mapping[Sense, Accuracy]
    data_licence: str | None
    licences: tuple[str, ...]
    files: Mapping[str, str]
    document: Mapping[str, object]


def read_manifest(path: Path) -> Manifest:
    """Read manifest.json.

    Raises:
        InputError: When it cannot be read, is of another format, or is malformed.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(f"{size:,} bytes; expected a manifest of at most {MAX_BYTES:,}")
        return parse_manifest(JsonFields(json.loads(path.read_bytes())))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); expected an exported model"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: malformed ({error}); copy or export the bundle again") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def parse_manifest(fields: JsonFields) -> Manifest:
    """Check the fields of a manifest.

    Raises:
        InputError: When another birdfield made it.
        ValueError: When a field is missing or wrong.
    """
    if fields.document.get("format") != FORMAT:
        raise InputError(
            f"bundle format {str(fields.document.get('format'))[:20]!r}, expected {FORMAT}; "
            "install the birdfield that exported the model, or export it again"
        )
    if fields.integer("dim") != DIM:
        raise ValueError(f"dim is {fields.integer('dim')}, expected {DIM}")
    for key in SHOWN_IN_INFO:
        fields.fields(key)
    image, frontend = fields.fields("image"), fields.fields("frontend")
    return Manifest(
        model=fields.text("model"),
        image=_image_spec(image),
        image_backbone=image.optional_text("backbone"),
        crop_margin=_crop_margin(image),
        audio=_audio_spec(frontend, fields.fields("audio")),
        frontend_sha256=frontend.text("sha256"),
        yamnet_sha256=fields.fields("yamnet").text("sha256"),
        towers=_towers(fields.fields("towers")),
        calibration=Calibration.from_json(fields.fields("calibration").document),
        accuracy=_accuracy(fields),
        data_licence=fields.optional_text("data_licence"),
        licences=fields.texts("licences"),
        files={name: str(digest) for name, digest in fields.fields("files").document.items()},
        document=fields.document,
    )


def _image_spec(image: JsonFields) -> ImageSpec:
    try:
        return ImageSpec.from_json(image.document)
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"image is malformed ({error!r})") from error


def _crop_margin(image: JsonFields) -> float:
    margin = image.number("crop_margin") if "crop_margin" in image.document else 1.0
    least, most = CROP_MARGINS
    if not least <= margin <= most:
        raise ValueError(f"image.crop_margin is {margin}, expected {least} to {most}")
    return margin


def _audio_spec(frontend: JsonFields, audio: JsonFields) -> AudioSpec:
    """Return the frontend's audio spec, after a check that this birdfield has the same."""
    name = frontend.text("name")
    if name not in SPECS:
        raise InputError(
            f"the model needs the frontend {name[:100]!r}, expected one of {', '.join(SPECS)}; "
            "install the birdfield that exported the model"
        )
    spec = SPECS[name]
    projected = audio.integer("evidence") if "evidence" in audio else 0
    if projected != spec.class_dim:
        raise InputError(
            f"the model expects {projected} numbers of class projection from {name}, but this "
            f"birdfield computes {spec.class_dim}; train and export the model again"
        )
    if audio.document != spec.to_json():
        raise ValueError(
            f"audio is {str(audio.document)[:200]}, expected {spec.to_json()} for {name}"
        )
    return spec


def _towers(towers: JsonFields) -> dict[str, Tower]:
    entries = {name: towers.fields(name) for name in towers.document}
    return {
        name: Tower(
            entry.text("precision"),
            entry.number("mean_cosine"),
            entry.number("min_cosine"),
            entry.integer("size_bytes"),
        )
        for name, entry in entries.items()
    }


def _accuracy(fields: JsonFields) -> dict[Sense, Accuracy]:
    if "cross_validation" not in fields.document:
        return {}
    scores = fields.fields("cross_validation")
    tested = {sense: scores.fields(sense) for sense in SENSES if sense in scores}
    return {
        sense: Accuracy(entry.integer("n"), entry.number("top1"), entry.interval("top1_ci95"))
        for sense, entry in tested.items()
        if entry.integer("n")
    }
