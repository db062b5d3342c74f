"""What the report says of the model and of the test files."""

import hashlib
from collections.abc import Mapping
from typing import Any

from birdfield.report.evaluation import Evaluation


def model_facts(evaluation: Evaluation) -> list[tuple[str, str]]:
    """List what the manifest, or the run's summary, tells of the model; what it lacks is left out.

    Returns:
        Pairs of a name and a text.
    """
    manifest = evaluation.manifest
    image, sound = _entry(manifest, "image"), _entry(manifest, "audio")
    trained = _entry(manifest, "data") or _entry(_entry(manifest, "training"), "data")
    facts = [
        ("Model", evaluation.figures["model"]),
        ("Made by birdfield", manifest.get("birdfield")),
        ("Image backbone", image.get("backbone") or manifest.get("image_backbone")),
        ("Image size", f"{image['size_px']} px" if "size_px" in image else None),
        ("Sound frontend", _entry(manifest, "frontend").get("name")),
        ("Sample rate", f"{sound['rate_hz']} Hz" if "rate_hz" in sound else None),
        (
            "Precision of towers",
            ", ".join(
                f"{name} {tower['precision']}"
                for name, tower in _entry(manifest, "towers").items()
                if isinstance(tower, Mapping) and "precision" in tower
            ),
        ),
        (
            "Trained on",
            ", ".join(
                f"{value:,} {name}" for name, value in trained.items() if isinstance(value, int)
            ),
        ),
        ("Species it can answer", evaluation.figures["gallery"]),
        ("Licences", "; ".join(map(str, manifest.get("licences") or ()))),
    ]
    return [(name, str(value)) for name, value in facts if value not in (None, "")]


def data_facts(evaluation: Evaluation) -> list[tuple[str, str]]:
    """List what was tested: pairs of a name and a text."""
    return [
        ("Data id", data_id(evaluation)),
        ("Species tested", str(evaluation.figures["species"])),
        ("Photographs", f"{len(evaluation.images.labels):,}"),
        (
            "Recordings",
            f"{len(set(evaluation.audio.recordings.tolist())):,} in "
            f"{len(evaluation.audio.labels):,} files",
        ),
        ("Pairs of the two", f"{len(evaluation.scored.both.labels):,}"),
        ("Files left out", str(len(evaluation.problems))),
    ]


def data_id(evaluation: Evaluation) -> str:
    """Derive an id from the test files' species, names and order; equal files, equal id."""
    lines = [
        f"{path.parent.name}/{path.name}"
        for path in (*evaluation.image_paths, *evaluation.audio_paths)
    ]
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()[:16]


def _entry(manifest: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    entry = manifest.get(name)
    return entry if isinstance(entry, Mapping) else {}
