"""The report as one page of HTML that asks for nothing from anywhere."""

from typing import Any

from birdfield.model.encoder import SENSES
from birdfield.report import charts, noise, tables
from birdfield.report.confusion import draw_matrix
from birdfield.report.embedding_map import HEIGHT, HUES, WIDTH, draw_map
from birdfield.report.evidence import Evidence
from birdfield.report.facts import data_facts, model_facts
from birdfield.report.mistakes import worst_mistakes
from birdfield.report.template import render

CONFUSIONS = 8  # listed beside each matrix


def build_page(evidence: Evidence) -> str:
    """Write the whole page; every name that comes from outside is escaped."""
    return render(
        "page.html",
        evidence=evidence,
        figures=evidence.figures,
        names=tables.NAMES,
        senses=SENSES,
        measured=evidence.measured(),
        **_content(evidence),
    )


def _content(evidence: Evidence) -> dict[str, Any]:
    figures, measured = evidence.figures, evidence.measured()
    counts = {sense: tables.confusion_counts(evidence, sense) for sense in measured}
    labels = evidence.gallery.labels
    rows = figures.get("noise") or []
    return {
        "headlines": tables.headlines(figures),
        "missing": tables.missing_senses(figures),
        "species": tables.species_rows(evidence),
        "matrices": {sense: draw_matrix(counts[sense], labels) for sense in measured},
        "confusions": {
            sense: tables.frequent_confusions(counts[sense], labels, sense, CONFUSIONS)
            for sense in measured
        },
        "map": draw_map(evidence),
        "map_size": (WIDTH, HEIGHT),
        "hues": HUES,
        "reliability": charts.draw_reliability(figures),
        "rejection": charts.draw_rejection(evidence),
        "strangers": [
            (
                "unknown",
                "Birds that the model does not know",
                figures.get("unknown") or {},
                _roc(evidence, "unknown", "unknown birds"),
            ),
            (
                "no_bird",
                "Scenes without a bird",
                figures.get("no_bird") or {},
                _roc(evidence, "no_bird", "scenes without a bird"),
            ),
        ],
        "noise": charts.draw_noise(noise.undamaged(rows)),
        "damages": noise.damages(rows),
        "worst_kinds": noise.worst_kinds(rows),
        "mistakes": {sense: worst_mistakes(evidence, sense) for sense in measured},
        "model_facts": model_facts(evidence),
        "data_facts": data_facts(evidence),
    }


def _roc(evidence: Evidence, name: str, what: str) -> str | None:
    figures = evidence.figures.get(name) or {}
    found = evidence.separations.get(name, {})
    return charts.draw_roc(
        {sense: found[sense] for sense in SENSES if sense in found and figures.get(sense)},
        name,
        what,
    )
