"""Templates: renders a page of HTML from a template of this folder."""

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from birdfield import __version__

FOLDER = Path(__file__).parent


def render(template: str, content: Mapping[str, object]) -> str:
    """Render a template as one file with style and script; all text from outside is escaped."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["percent"] = percent
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(template).render(
        {
            "style": (FOLDER / "page.css").read_text(encoding="utf-8"),
            "script": script,
            "script_digest": digest,
            "version": __version__,
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            **content,
        }
    )


def percent(value: float) -> str:
    """Write a share, 0..1, as percent without a line break; never round below 1 up to 100 %."""
    decimals = 1 if 0.99 < value < 1 else 0
    return f"{100 * value:.{decimals}f}\N{NARROW NO-BREAK SPACE}%"
