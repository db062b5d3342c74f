"""Summary: the facts about a model in the manifest of its bundle or the summary of its run."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from birdfield.model.json_fields import JsonFields
from birdfield.paths import resolve_model

Value = TypeVar("Value")


@dataclass(frozen=True)
class ModelSummary:
    """Facts about a model; None or empty where they are missing.

    Attributes:
        birdfield: Version that exported it.
        backbone: Network under the image tower.
        size_px: Side of the image tower's input.
        frontend: Network before the audio tower.
        rate_hz: Sample rate of the frontend.
        precisions: Precision of each tower, by name.
        trained_on: Number of species, photographs and so on, by name.
        licences: Licences of the model's parts.
    """

    birdfield: str | None = None
    backbone: str | None = None
    size_px: int | None = None
    frontend: str | None = None
    rate_hz: int | None = None
    precisions: Mapping[str, str] = field(default_factory=dict)
    trained_on: Mapping[str, int] = field(default_factory=dict)
    licences: tuple[str, ...] = ()


def read_summary(model: Path) -> ModelSummary:
    """Read the facts about a bundle or a run, as far as they can be read."""
    folder = resolve_model(model)
    for name in ("manifest.json", "run.json"):
        try:
            return _parse(JsonFields(json.loads((folder / name).read_bytes())))
        except (OSError, ValueError):
            continue
    return ModelSummary()


def _parse(fields: JsonFields) -> ModelSummary:
    image, audio = _part(fields, "image"), _part(fields, "audio")
    towers = _part(fields, "towers")
    trained = _part(fields, "data").document or _part(_part(fields, "training"), "data").document
    precisions = {
        name: _optional(_part(towers, name).text, "precision") for name in towers.document
    }
    return ModelSummary(
        _optional(fields.text, "birdfield"),
        _optional(image.text, "backbone") or _optional(fields.text, "image_backbone"),
        _optional(image.integer, "size_px"),
        _optional(_part(fields, "frontend").text, "name"),
        _optional(audio.integer, "rate_hz"),
        {name: precision for name, precision in precisions.items() if precision is not None},
        {name: value for name, value in trained.items() if isinstance(value, int)},
        _optional(fields.texts, "licences") or (),
    )


def _part(fields: JsonFields, key: str) -> JsonFields:
    """Return an object, empty where it is missing or malformed."""
    return _optional(fields.fields, key) or JsonFields({})


def _optional(read: Callable[[str], Value], key: str) -> Value | None:
    try:
        return read(key)
    except ValueError:
        return None
