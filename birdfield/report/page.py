"""The report as one page of HTML that asks for nothing from anywhere."""

from typing import Any

from birdfield.model.sense import SENSES
from birdfield.report import charts, noise, tables
from birdfield.report.confusion import draw_matrix
from birdfield.report.embedding_map import HEIGHT, HUES, WIDTH, draw_map
from birdfield.report.evaluation import Evaluation
from birdfield.report.facts import data_facts, model_facts
from birdfield.report.mistakes import worst_mistakes
from birdfield.report.template import render

CONFUSIONS = 8  # listed beside each matrix


def build_page(evaluation: Evaluation) -> str:
    """Write the whole page; every name that comes from outside is escaped."""
    return render(
        "page.html",
        evidence=evaluation,
        figures=evaluation.figures,
        names=tables.NAMES,
        senses=SENSES,
        measured=evaluation.measured(),
        **_content(evaluation),
    )


def _content(evaluation: Evaluation) -> dict[str, Any]:
    figures, measured = evaluation.figures, evaluation.measured()
    counts = {sense: tables.confusion_counts(evaluation, sense) for sense in measured}
    labels = evaluation.gallery.labels
    rows = figures.get("noise") or []
    return {
        "headlines": tables.headlines(figures),
        "missing": tables.missing_senses(figures),
        "species": tables.species_rows(evaluation),
        "matrices": {sense: draw_matrix(counts[sense], labels) for sense in measured},
        "confusions": {
            sense: tables.frequent_confusions(counts[sense], labels, sense, CONFUSIONS)
            for sense in measured
        },
        "map": draw_map(evaluation),
        "map_size": (WIDTH, HEIGHT),
        "hues": HUES,
        "reliability": charts.draw_reliability(figures),
        "rejection": charts.draw_rejection(evaluation),
        "strangers": [
            (
                "unknown",
                "Birds that the model does not know",
                figures.get("unknown") or {},
                _roc(evaluation, "unknown", "unknown birds"),
            ),
            (
                "no_bird",
                "Scenes without a bird",
                figures.get("no_bird") or {},
                _roc(evaluation, "no_bird", "scenes without a bird"),
            ),
        ],
        "noise": charts.draw_noise(noise.undamaged(rows)),
        "damages": noise.damages(rows),
        "worst_kinds": noise.worst_kinds(rows),
        "mistakes": {sense: worst_mistakes(evaluation, sense) for sense in measured},
        "model_facts": model_facts(evaluation),
        "data_facts": data_facts(evaluation),
    }


def _roc(evaluation: Evaluation, name: str, what: str) -> str | None:
    figures = evaluation.figures.get(name) or {}
    found = evaluation.separations.get(name, {})
    return charts.draw_roc(
        {sense: found[sense] for sense in SENSES if sense in found and figures.get(sense)},
        name,
        what,
    )
