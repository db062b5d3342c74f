"""Report page: one HTML file that loads nothing else."""

from dataclasses import dataclass

from birdfield.evaluate.evaluation import Separations
from birdfield.evaluate.figures import RejectionFigures
from birdfield.model.sense import SENSES
from birdfield.report import charts, noise, tables
from birdfield.report.confusion import layout_matrix
from birdfield.report.embedding_map import HEIGHT, HUES, WIDTH, layout_map
from birdfield.report.evaluation import Evaluation
from birdfield.report.facts import data_facts, model_facts
from birdfield.report.mistakes import worst_mistakes
from birdfield.report.template import render

CONFUSIONS = 8  # listed beside each matrix


@dataclass(frozen=True)
class RejectionPart:
    """A part of the section on rejection.

    Attributes:
        name: "unknown" or "no_bird".
        title: A heading.
        what: One of the samples that should be rejected.
        figures: The figures, or None when not measured.
        chart: An SVG element, or None when not measured.
    """

    name: str
    title: str
    what: str
    figures: RejectionFigures | None
    chart: str | None


def build_page(evaluation: Evaluation) -> str:
    """Return the page; all text from outside is escaped."""
    return render("page.html", _content(evaluation))


def _content(evaluation: Evaluation) -> dict[str, object]:
    figures, measured = evaluation.figures, evaluation.measured()
    counts = {sense: tables.confusion_counts(evaluation, sense) for sense in measured}
    labels = evaluation.gallery.labels
    rows = figures.noise or ()
    return {
        "evaluation": evaluation,
        "figures": figures,
        "names": tables.NAMES,
        "senses": SENSES,
        "measured": measured,
        "headlines": tables.headlines(figures),
        "missing": tables.missing_senses(figures),
        "species": tables.species_rows(evaluation),
        "matrices": {sense: layout_matrix(counts[sense], labels) for sense in measured},
        "confusions": {
            sense: tables.frequent_confusions(counts[sense], labels, sense, CONFUSIONS)
            for sense in measured
        },
        "map": layout_map(evaluation),
        "map_size": (WIDTH, HEIGHT),
        "hues": HUES,
        "reliability": charts.draw_reliability(figures),
        "rejection": charts.draw_rejection(evaluation),
        "rejections": _rejection_parts(evaluation),
        "noise": charts.draw_noise(noise.undamaged(rows)),
        "damages": noise.damages(rows),
        "worst_kinds": noise.worst_kinds(rows),
        "mistakes": {sense: worst_mistakes(evaluation, sense) for sense in measured},
        "model_facts": model_facts(evaluation),
        "data_facts": data_facts(evaluation),
    }


def _rejection_parts(evaluation: Evaluation) -> tuple[RejectionPart, RejectionPart]:
    unknown, background = evaluation.figures.unknown, evaluation.figures.background
    return (
        RejectionPart(
            "unknown",
            "Birds that the model does not know",
            "unknown bird",
            unknown,
            _draw_roc(unknown, evaluation.unknown, "unknown", "unknown birds"),
        ),
        RejectionPart(
            "no_bird",
            "Scenes without a bird",
            "scene without a bird",
            background,
            _draw_roc(background, evaluation.background, "no_bird", "scenes without a bird"),
        ),
    )


def _draw_roc(
    figures: RejectionFigures | None, separations: Separations, name: str, what: str
) -> str | None:
    if figures is None:
        return None
    shown = {
        sense: separations[sense]
        for sense in SENSES
        if sense in separations and sense in figures.senses
    }
    return charts.draw_roc(shown, name, what)
