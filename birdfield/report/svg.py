"""SVG charts: draws with matplotlib in the colours and type of the page, light or dark."""

import html
import io
import re

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from birdfield.model.sense import Sense

SIZE_INCHES = (4.2, 3.0)  # 403 x 288 px: the width of a phone, half that of the page

# Placeholder colours for matplotlib; the page's variables replace them in the SVG.
INK, MUTED, LINE = "#010101", "#020202", "#030303"
COLOURS = {Sense.IMAGE: "#040404", Sense.AUDIO: "#050505", Sense.BOTH: "#060606", "late": "#070707"}
VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    LINE: "line",
    **{colour: sense for sense, colour in COLOURS.items()},
}
# A sense also has its own marker and line, so that a chart is readable without colours.
MARKERS = {Sense.IMAGE: "o", Sense.AUDIO: "^", Sense.BOTH: "s", "late": "D"}
LINES = {Sense.IMAGE: "-", Sense.AUDIO: "--", Sense.BOTH: "-", "late": ":"}
WIDTHS = {Sense.IMAGE: 1.5, Sense.AUDIO: 1.5, Sense.BOTH: 2.5, "late": 1.5}


def new_axes(xlabel: str, ylabel: str) -> Axes:
    """Return the axes of a new chart, without global state."""
    axes = Figure(figsize=SIZE_INCHES, layout="constrained").subplots()
    axes.set_xlabel(xlabel, color=MUTED, fontsize=10)
    axes.set_ylabel(ylabel, color=MUTED, fontsize=10)
    axes.tick_params(colors=MUTED, labelsize=10, length=0)
    axes.grid(color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    return axes


def add_legend(axes: Axes) -> None:
    """Add a legend of the labelled lines above the chart."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=3,
            frameon=False,
            fontsize=10,
            labelcolor=INK,
            handlelength=2.4,
            borderaxespad=0.2,
            columnspacing=1.4,
        )


def to_svg(axes: Axes, name: str, description: str) -> str:
    """Return a chart as an SVG element.

    Args:
        axes: From `new_axes`; without text from outside, since matplotlib lacks most of Unicode.
        name: A prefix that makes the element's ids unique in the page.
        description: The text for screen readers.
    """
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure = axes.get_figure(root=True)
        assert figure is not None  # `new_axes` made it
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(
        r"<metadata>.*?</metadata>|<style.*?</style>| xmlns(:\w+)?=\"[^\"]*\""
        r"| font-family: [^;\"]*;",
        "",
        text,
        flags=re.DOTALL,
    )
    text = re.sub(r' (width|height)="[0-9.]+pt"', "", text, count=2)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{name}-", text)
    for placeholder, variable in VARIABLES.items():
        text = text.replace(placeholder, f"var(--{variable})")
    label = f'<svg role="img" aria-label="{html.escape(description)}"'
    return text.replace("<svg", label, 1).strip()
