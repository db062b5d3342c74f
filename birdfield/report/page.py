"""The report as one page of HTML that asks for nothing from anywhere."""

import base64
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from birdfield import __version__
from birdfield.encoder import SENSES
from birdfield.report import charts, noise, tables
from birdfield.report.confusion import draw_matrix
from birdfield.report.embedding_map import HEIGHT, HUES, WIDTH, draw_map
from birdfield.report.evidence import Evidence
from birdfield.report.facts import data_facts, model_facts
from birdfield.report.mistakes import worst_mistakes

FOLDER = Path(__file__).parent
CONFUSIONS = 8  # listed beside each matrix


def build_page(evidence: Evidence) -> str:
    """Write the whole page; every name that comes from outside is escaped."""
    environment = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, trim_blocks=True,
                              lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters["percent"] = percent
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html").render(
        style=(FOLDER / "page.css").read_text(encoding="utf-8"),
        script=script, script_digest=digest, version=__version__,
        date=datetime.now(UTC).strftime("%Y-%m-%d"), evidence=evidence, figures=evidence.figures,
        names=tables.NAMES, senses=SENSES, measured=evidence.measured(), **_content(evidence))


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
        "confusions": {sense: tables.frequent_confusions(counts[sense], labels, sense, CONFUSIONS)
                       for sense in measured},
        "map": draw_map(evidence), "map_size": (WIDTH, HEIGHT), "hues": HUES,
        "reliability": charts.draw_reliability(figures),
        "rejection": charts.draw_rejection(evidence),
        "strangers": [
            ("unknown", "Birds that the model does not know", figures.get("unknown") or {},
             _roc(evidence, "unknown", "unknown birds")),
            ("no_bird", "Scenes without a bird", figures.get("no_bird") or {},
             _roc(evidence, "no_bird", "scenes without a bird"))],
        "noise": charts.draw_noise(noise.undamaged(rows)),
        "damages": noise.damages(rows), "worst_kinds": noise.worst_kinds(rows),
        "mistakes": {sense: worst_mistakes(evidence, sense) for sense in measured},
        "model_facts": model_facts(evidence), "data_facts": data_facts(evidence),
    }


def _roc(evidence: Evidence, name: str, what: str) -> str | None:
    figures = evidence.figures.get(name) or {}
    found = evidence.separations.get(name, {})
    return charts.draw_roc({sense: found[sense] for sense in SENSES
                            if sense in found and figures.get(sense)}, name, what)


def percent(value: float) -> str:
    """Write a share, 0..1, as percent that no line breaks in; 99.6 % is not called 100 %."""
    decimals = 1 if 0.99 < value < 1 else 0
    return f"{100 * value:.{decimals}f}\N{NARROW NO-BREAK SPACE}%"
