"""Layout: draws a view with Rich; a terminal of 80 columns and 24 lines is enough."""

import time
from collections.abc import Iterable
from functools import cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.cells import cell_len
from rich.color import Color
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.layout import Layout
from rich.measure import Measurement
from rich.panel import Panel
from rich.style import Style
from rich.table import Table
from rich.text import Text

from birdfield.model.names import Names
from birdfield.model.sense import Sense
from birdfield.recognise.decide import Decision
from birdfield.recognise.reason import WORDS
from birdfield.view.sound_meter import BANDS, COLUMN_S, FLOOR_DB, Level
from birdfield.view.state import Health, Sighting, View

SPECTRUM_LINES = BANDS // 2  # a line of half blocks shows two bands
SOUND_LINES = SPECTRUM_LINES + 3
MIN_SPECTRUM_LINES = 20  # a lower terminal has no room for the spectrum
RECENT_S = 6.0  # an older answer is no longer shown as present
BAR_COLUMNS = 8
LOUD_DB, CLIPPED_DB = -20.0, -0.5
WARM_C = 68.0  # from here on the temperature is red
SHADES = " ░▒▓█"  # for a terminal without colours
# From dark to bright, also for colour-blind readers: points of the colour map "viridis".
RAMP = np.array([(20, 20, 30), (68, 40, 110), (49, 104, 142), (53, 183, 121), (253, 231, 37)])
COLOURS = [
    Color.from_rgb(*(np.interp(place, range(len(RAMP)), RAMP[:, part]) for part in range(3)))
    for place in np.linspace(0, len(RAMP) - 1, 12)
]  # few, because a change of colour is slow on a terminal
AGREEMENT = {
    "agree": ("sight and sound agree", "green"),
    "disagree": ("sight and sound disagree", "yellow"),
}
SINGLE = {Sense.IMAGE: "by sight alone", Sense.AUDIO: "by sound alone"}
SENSES_TEXT = {Sense.IMAGE: "seen", Sense.AUDIO: "heard", Sense.BOTH: "seen, heard"}


def draw(view: View, width: int, height: int, colours: bool) -> RenderableType:
    """Return a view for a terminal.

    Args:
        view: The state of the scene.
        width: The columns of the terminal.
        height: The lines of the terminal.
        colours: Whether the terminal has colours.
    """
    layout = Layout()
    inner = width - 4
    parts = [Layout(_title(view, width), size=1)]
    if view.microphone is not None:
        level, spectrum = view.microphone.measured()
        meter = _meter(level, inner)
        if height >= MIN_SPECTRUM_LINES:
            sound = Group(*_spectrum(spectrum[-inner:], colours), meter)
            parts.append(
                Layout(_panel(sound, f"Sound, the last {inner * COLUMN_S:.0f} s"), size=SOUND_LINES)
            )
        else:
            parts.append(Layout(_panel(meter, "Sound"), size=3))
    middle = Layout(minimum_size=6)
    middle.split_row(
        Layout(_panel(_now(view), "Now"), size=width // 2),
        Layout(_panel(_recent(view.recent, view.names, max(height, 1)), _recent_title(view))),
    )
    parts += [
        middle,
        Layout(_panel(_health(view.health()), "Station"), size=4),
        Layout(_messages(view.messages), size=2 if height >= MIN_SPECTRUM_LINES else 1),
    ]
    layout.split_column(*parts)
    return layout


def _panel(content: RenderableType, title: str) -> Panel:
    return Panel(
        content,
        title=Text(title, "bold"),
        title_align="left",
        box=box.ROUNDED,
        border_style="bright_black",
    )


def _title(view: View, width: int) -> Text:
    passed_s = int(time.monotonic() - view.began_s)
    right = (
        f"{view.time.astimezone():%Y-%m-%d %H:%M:%S}   "
        f"{passed_s // 3600}:{passed_s // 60 % 60:02d}:{passed_s % 60:02d}  Ctrl-C ends "
    )
    left = Text.assemble((" birdfield ", "bold green"), (view.model, "bright_black"))
    left.truncate(max(width - len(right) - 1, 11), overflow="ellipsis")
    return left.append(right.rjust(width - left.cell_len), "bright_black")


def _spectrum(spectrum: NDArray[np.float32], colours: bool) -> Iterable[Text]:
    """Return a spectrum, float32 [columns, BANDS], as lines, the highest band on top.

    The median is dark, so that a song is visible above a steady noise.
    """
    median = float(np.median(spectrum))
    shares = np.clip((spectrum - median) / max(1 - median, 0.1), 0, 1)
    rows = np.rint(shares * (len(COLOURS) - 1)).astype(int).T[::-1].tolist()
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        line = Text(no_wrap=True)
        for (high, low), run in groupby(zip(upper, lower, strict=True)):
            count = sum(1 for _ in run)
            if colours:
                line.append("▀" * count, _style(high, low))
            else:
                shade = max(high, low) * (len(SHADES) - 1) // (len(COLOURS) - 1)
                line.append(SHADES[shade] * count)
        yield line


@cache
def _style(upper: int, lower: int) -> Style:
    return Style(color=COLOURS[upper], bgcolor=COLOURS[lower])


def _meter(level: Level, width: int) -> Text:
    bar = width - 27
    filled = round(bar * (1 - level.rms_db / FLOOR_DB))
    colour = (
        "red" if level.peak_db >= CLIPPED_DB else "yellow" if level.rms_db >= LOUD_DB else "green"
    )
    peak = "clipped" if level.peak_db >= CLIPPED_DB else f"peak {level.peak_db:.0f} dB"
    return Text.assemble(
        ("level ", "bright_black"),
        ("━" * filled, colour),
        ("─" * (bar - filled), "bright_black"),
        f" {level.rms_db:4.0f} dB, ",
        f"{peak:<12}",
        no_wrap=True,
    )


def _now(view: View) -> RenderableType:
    decision = view.decision
    if decision is None:
        return Text("Nothing yet: nothing moved, no bird was heard.", "bright_black")
    if view.quiet_s >= RECENT_S:
        name = view.names.common(decision.species) if decision.species else "unknown"
        return Text.assemble(
            ("Nothing moves, no bird is heard.\n\n", "bright_black"),
            ("Before: ", "bright_black"),
            name,
            (f", {view.quiet_s:.0f} s ago", "bright_black"),
        )
    return Group(_answer(decision, view.names), _top(decision, view.names), _agreement(decision))


class _Name:
    """The name of a species on one line, with the scientific name where it fits."""

    def __init__(
        self, names: Names, species: str, scientific: str | None = None, style: str = ""
    ) -> None:
        self._name, self._beside = names.common(species), names.subtitle(species, scientific)
        self._style = style

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Iterable[Text]:
        text = Text(self._name, self._style, no_wrap=True, overflow="ellipsis")
        if self._beside and text.cell_len + 1 + cell_len(self._beside) <= options.max_width:
            text.append(f" {self._beside}", "not bold italic bright_black")
        yield text

    def __rich_measure__(self, _: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, options.max_width)


def _answer(decision: Decision, names: Names) -> RenderableType:
    if decision.species is None:
        return Text(_unknown(decision), "bold yellow", no_wrap=True, overflow="ellipsis")
    return _Name(names, decision.species, style="bold green")


def _unknown(decision: Decision) -> str:
    return f"unknown: {WORDS[decision.reason]}" if decision.reason else "unknown"


def _top(decision: Decision, names: Names) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(width=BAR_COLUMNS, no_wrap=True)
    table.add_column(width=4, justify="right")
    for species, score in decision.top:
        table.add_row(
            _Name(names, species), Text("━" * round(score * BAR_COLUMNS), "green"), f"{score:.2f}"
        )
    return table


def _agreement(decision: Decision) -> Text:
    words, style = AGREEMENT.get(decision.agreement, (SINGLE.get(decision.senses[0], ""), "cyan"))
    return Text(words, style)


def _recent_title(view: View) -> str:
    count, species = view.today.total(), f"{len(view.today.keys() - {None})} species"
    if view.has_journal:
        return f"Today: {count} visit{'' if count == 1 else 's'}, {species}"
    return f"Answers: {count}, {species}"


def _recent(sightings: tuple[Sighting, ...], names: Names, lines: int) -> RenderableType:
    if not sightings:
        return Text("None yet.", "bright_black")
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=5)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True, style="bright_black")
    for each in sightings[:lines]:
        name = _Name(names, each.species, each.scientific) if each.species else "undecided"
        table.add_row(f"{each.time:%H:%M}", name, SENSES_TEXT[each.senses])
    return table


def _health(health: Health) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    for name in ("camera", "microphone"):
        fault = health.faults.get(name)
        style = "bright_black" if name not in health.faults else "red" if fault else "green"
        state = "none" if name not in health.faults else fault or "ok"
        text.append(f"{name} ").append(f"{state}   ", style)
    if health.celsius is not None:
        text.append(f"{health.celsius:.0f} °C   ", "red" if health.celsius >= WARM_C else "")
    if health.memory_mb is not None:
        text.append(f"{health.memory_mb:.0f} MB")
    text.append(f"\nwindows {health.windows}, quiet {health.quiet}   ")
    for word, count in (("dropped", health.dropped), ("throttled", health.throttled)):
        text.append(f"{word} {count}   ", "yellow" if count else "")
    return text


def _messages(messages: Iterable[str]) -> Text:
    # A layout draws a placeholder in place of an empty text.
    return Text(
        "\n".join(f" {line}" for line in list(messages)[-2:]) or " ",
        "bright_black",
        no_wrap=True,
        overflow="ellipsis",
    )
