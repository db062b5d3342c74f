"""What `info`, `species` and `enrol` tell a person of a model."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from birdfield.model.bundle import Bundle
from birdfield.model.gallery import Gallery
from birdfield.model.sense import SENSES, Sense
from birdfield.recognise.enrol import FileReport


def describe(bundle: Bundle, gallery: Gallery) -> dict[str, Any]:
    """Gather what a model is, in the form of `info --json`."""
    manifest = bundle.manifest.document
    scores = manifest.get("cross_validation")
    scores = scores if isinstance(scores, dict) else {}
    return {
        "model": bundle.model_id,
        "folder": str(bundle.folder),
        "format": manifest["format"],
        "species": [species.to_json() for species in gallery.species],
        "frontend": manifest["frontend"],
        "image": manifest["image"],
        "audio": manifest["audio"],
        "towers": manifest["towers"],
        "cross_validation": {key: scores.get(key) for key in (*SENSES, "late_fusion")},
        "training": manifest["training"],
        "minimum_runtime": manifest["minimum_runtime"],
        "data_licence": manifest.get("data_licence"),
        "licences": manifest["licences"],
        "model_card": str(bundle.model_card) if bundle.model_card else None,
    }


def to_text(bundle: Bundle, gallery: Gallery) -> str:
    """Describe a model for a person."""
    manifest = bundle.manifest
    lines = [
        f"model {bundle.model_id} ({bundle.folder})",
        f"  {len(gallery.species)} species: {', '.join(gallery.labels)}",
        f"  image: {manifest.image_backbone}, {manifest.image.size_px} px; "
        f"sound: {manifest.audio.name}, {manifest.audio.rate_hz} Hz",
    ]
    for name, tower in manifest.towers.items():
        lines.append(
            f"  {name} tower: {tower.precision}, {tower.size_bytes / 1e6:.1f} "
            f"MB, cosine to the trained one {tower.mean_cosine:.4f} mean, "
            f"{tower.min_cosine:.4f} least"
        )
    for sense, accuracy in manifest.accuracy.items():
        low, high = accuracy.top1_ci95
        lines.append(
            f"  top-1 by {sense}, out of fold: {accuracy.top1:.3f} "
            f"[{low:.3f}, {high:.3f}], n = {accuracy.samples}"
        )
    if manifest.data_licence:
        lines.append(f"  licence of the data: {manifest.data_licence}")
    lines += [f"  licence: {line}" for line in manifest.licences]
    card = bundle.model_card
    if card:
        lines += [f"  model card: {card}", "", card.read_text(encoding="utf-8", errors="replace")]
    return "\n".join(lines)


def species_rows(gallery: Gallery) -> list[dict[str, Any]]:
    """List the species with the senses by which each can be told."""
    rows = []
    for row, species in enumerate(gallery.species):
        held = np.unique(gallery.senses[gallery.owner == row])
        rows.append(
            {
                **species.to_json(),
                "senses": [SENSES[index] for index in held if SENSES[index] != Sense.BOTH],
            }
        )
    return rows


def enrolment_lines(reports: Sequence[FileReport], name: str, dry_run: bool) -> list[str]:
    """Tell what enrolment found of each file, and what it did."""
    lines = []
    for report in reports:
        others = (
            "the only one of its kind"
            if report.to_others is None
            else f"similarity to the others {report.to_others:.2f}"
        )
        nearest = (
            ""
            if report.nearest is None
            else f"; nearest other species {report.nearest} {report.nearest_similarity:.2f}"
        )
        lines.append(f"{report.path}: {others}{nearest}{WARNINGS.get(report.warning or '', '')}")
    stored = sum(report.warning != "repeat" for report in reports)
    lines.append(
        f"{name}: {stored} of {len(reports)} files "
        f"{'would be enrolled (dry run)' if dry_run else 'enrolled'}"
    )
    return lines


WARNINGS = {
    "outlier": "; WARNING: unlike the others, is it the same species?",
    "look-alike": "; WARNING: hard to tell from that species",
    "repeat": "; enrolled before, left out",
}
