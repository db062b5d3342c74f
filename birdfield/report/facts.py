"""Facts: lists what a report states of the model and of the test files."""

import hashlib
from collections.abc import Mapping

from birdfield.report.evaluation import Evaluation

Fact = tuple[str, str]  # a name and a text


def model_facts(evaluation: Evaluation) -> list[Fact]:
    """List the facts in the manifest, or in the run's summary, leaving out the missing ones."""
    manifest = evaluation.manifest
    image, sound = _entry(manifest, "image"), _entry(manifest, "audio")
    trained = _entry(manifest, "data") or _entry(_entry(manifest, "training"), "data")
    licences = manifest.get("licences")
    facts = [
        ("Model", evaluation.figures.model),
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
        ("Species it can answer", evaluation.figures.gallery),
        ("Licences", "; ".join(map(str, licences)) if isinstance(licences, list) else None),
    ]
    return [(name, str(value)) for name, value in facts if value not in (None, "")]


def data_facts(evaluation: Evaluation) -> list[Fact]:
    """List the facts about the test files."""
    return [
        ("Data id", data_id(evaluation)),
        ("Species tested", str(evaluation.figures.species)),
        ("Photographs", f"{len(evaluation.images.labels):,}"),
        (
            "Recordings",
            f"{len(set(evaluation.audio.recordings.tolist())):,} in "
            f"{len(evaluation.audio.labels):,} files",
        ),
        ("Pairs of the two", f"{len(evaluation.scores.both.labels):,}"),
        ("Files left out", str(len(evaluation.problems))),
    ]


def data_id(evaluation: Evaluation) -> str:
    """Return an id of the test files: a hash of their species, names and order."""
    lines = [
        f"{path.parent.name}/{path.name}"
        for path in (*evaluation.image_paths, *evaluation.audio_paths)
    ]
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()[:16]


def _entry(manifest: Mapping[str, object], name: str) -> Mapping[str, object]:
    entry = manifest.get(name)
    return entry if isinstance(entry, Mapping) else {}
