"""Facts: lists what a report states of the model and of the test files."""

import hashlib

from birdfield.report.evaluation import Evaluation

Fact = tuple[str, str]  # a name and a text


def model_facts(evaluation: Evaluation) -> list[Fact]:
    """List the facts about the model, leaving out the missing ones."""
    model = evaluation.model
    precisions = ", ".join(f"{name} {precision}" for name, precision in model.precisions.items())
    facts = [
        ("Model", evaluation.figures.model),
        ("Made by birdfield", model.birdfield),
        ("Image backbone", model.backbone),
        ("Image size", f"{model.size_px} px" if model.size_px is not None else None),
        ("Sound frontend", model.frontend),
        ("Sample rate", f"{model.rate_hz} Hz" if model.rate_hz is not None else None),
        ("Precision of towers", precisions),
        (
            "Trained on",
            ", ".join(f"{value:,} {name}" for name, value in model.trained_on.items()),
        ),
        ("Species it can answer", evaluation.figures.gallery),
        ("Licences", "; ".join(model.licences)),
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
