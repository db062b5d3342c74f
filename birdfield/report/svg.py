"""Charts as SVG that takes the page's colours and type, in daylight and in the dark."""

import html
import io
import re

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from birdfield.model.sense import Sense

SIZE_INCHES = (4.2, 3.0)  # 403 x 288 px on a screen: a phone's width, half a page's

# Stand-ins that matplotlib draws with, for the page's colours, which it cannot know.
INK, MUTED, LINE = "#010101", "#020202", "#030303"
COLOURS = {Sense.IMAGE: "#040404", Sense.AUDIO: "#050505", Sense.BOTH: "#060606", "late": "#070707"}
VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    LINE: "line",
    **{colour: sense for sense, colour in COLOURS.items()},
}
# A sense has its marker and its line as well as its colour: no colour is needed to read a chart.
MARKERS = {Sense.IMAGE: "o", Sense.AUDIO: "^", Sense.BOTH: "s", "late": "D"}
LINES = {Sense.IMAGE: "-", Sense.AUDIO: "--", Sense.BOTH: "-", "late": ":"}
WIDTHS = {Sense.IMAGE: 1.5, Sense.AUDIO: 1.5, Sense.BOTH: 2.5, "late": 1.5}


def new_axes(xlabel: str, ylabel: str) -> Axes:
    """Start a chart of its own, with no global state."""
    axes = Figure(figsize=SIZE_INCHES, layout="constrained").subplots()
    axes.set_xlabel(xlabel, color=MUTED, fontsize=10)
    axes.set_ylabel(ylabel, color=MUTED, fontsize=10)
    axes.tick_params(colors=MUTED, labelsize=10, length=0)
    axes.grid(color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    return axes


def add_legend(axes: Axes) -> None:
    """Name the lines that have a label, above the chart."""
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
    """Write a chart as an element for the page.

    Args:
        axes: From `new_axes`; its texts are our own, since matplotlib lacks most of Unicode.
        name: Makes the ids of the element unique in the page.
        description: For those who do not see it.
    """
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure = axes.get_figure(root=True)
        assert figure is not None  # made by `new_axes`
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
    for stand_in, variable in VARIABLES.items():
        text = text.replace(stand_in, f"var(--{variable})")
    label = f'<svg role="img" aria-label="{html.escape(description)}"'
    return text.replace("<svg", label, 1).strip()
