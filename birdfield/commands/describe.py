"""Descriptions: writes a model, its species and an enrolment as text and JSON."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from birdfield.evaluate.metrics import wilson_ci95
from birdfield.model.bundle import Bundle
from birdfield.model.gallery import Gallery
from birdfield.model.manifest import Manifest
from birdfield.model.sense import SENSES, Sense
from birdfield.model.species import Species
from birdfield.recognise.enrol import EnrolmentWarning, FileReport

LATE = "late_fusion"


def describe(bundle: Bundle, gallery: Gallery) -> dict[str, object]:
    """Return the JSON form of a model."""
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
        "cross_validation": {
            key: _with_interval(scores.get(key), bundle.manifest) for key in (*SENSES, LATE)
        },
        "training": manifest["training"],
        "minimum_runtime": manifest["minimum_runtime"],
        "data_licence": manifest.get("data_licence"),
        "licences": manifest["licences"],
        "model_card": str(bundle.model_card) if bundle.model_card else None,
    }


def _interval(share: float, count: int, stored: tuple[float, float]) -> tuple[float, float]:
    """Return a stored interval; that of an older bundle has no width where all answers agree."""
    if share in (0, 1) and stored[0] == stored[1] and count:
        low, high = wilson_ci95(share, count)
        return round(low, 4), round(high, 4)
    return stored


def _files(manifest: Manifest) -> int:
    """Return the number of independent samples: pairs share their photographs and recordings."""
    return min((each.samples for each in manifest.accuracy.values()), default=0)


def _with_interval(entry: object, manifest: Manifest) -> object:
    """Return the figures of a sense with an interval that has a width."""
    if not isinstance(entry, dict) or not entry.get("n") or entry.get("top1_ci95") is None:
        return entry
    low, high = entry["top1_ci95"]
    return {**entry, "top1_ci95": list(_interval(entry["top1"], _files(manifest), (low, high)))}


def _printable(text: str) -> str:
    """Return a text of another author without what a terminal obeys, such as escape sequences."""
    return "".join(
        each if each.isprintable() or each in "\n\t" else f"\\x{ord(each):02x}" for each in text
    )


def to_text(bundle: Bundle, gallery: Gallery) -> str:
    """Return the description of a model for a person."""
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
            f"MB, cosine to the trained tower {tower.mean_cosine:.4f} (mean), "
            f"{tower.min_cosine:.4f} (lowest)"
        )
    for sense, accuracy in manifest.accuracy.items():
        low, high = _interval(accuracy.top1, _files(manifest), accuracy.top1_ci95)
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
    return _printable("\n".join(lines))


@dataclass(frozen=True)
class SpeciesRow:
    """A species, and the senses for which it has prototypes."""

    species: Species
    senses: tuple[Sense, ...]

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {**self.species.to_json(), "senses": list(self.senses)}


def species_rows(gallery: Gallery) -> list[SpeciesRow]:
    """Return the species of a gallery with their senses."""
    rows = []
    for index, species in enumerate(gallery.species):
        held = np.unique(gallery.senses[gallery.owner == index])
        senses = tuple(SENSES[sense] for sense in held if SENSES[sense] != Sense.BOTH)
        rows.append(SpeciesRow(species, senses))
    return rows


def enrolment_lines(reports: Sequence[FileReport], name: str, dry_run: bool) -> list[str]:
    """Return a line for each enrolled file, and a summary."""
    stored = sum(report.warning != EnrolmentWarning.REPEAT for report in reports)
    return [
        *(_report_line(report) for report in reports),
        f"{name}: {stored} of {len(reports)} files "
        f"{'would be enrolled (dry run)' if dry_run else 'enrolled'}",
    ]


def _report_line(report: FileReport) -> str:
    others = (
        "the only file of its kind"
        if report.to_others is None
        else f"similarity to the others {report.to_others:.2f}"
    )
    nearest = (
        ""
        if report.nearest is None
        else f"; nearest other species {report.nearest} {report.nearest_similarity:.2f}"
    )
    return f"{report.path}: {others}{nearest}{WARNINGS[report.warning] if report.warning else ''}"


WARNINGS = {
    EnrolmentWarning.OUTLIER: "; WARNING: unlike the others, is it the same species?",
    EnrolmentWarning.LOOK_ALIKE: "; WARNING: hard to distinguish from that species",
    EnrolmentWarning.REPEAT: "; enrolled before, skipped",
}
