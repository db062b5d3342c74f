"""The terminal while a scene is viewed: taken over, and given back as it was."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, TextIO

from birdfield.recognise.observation import Observation
from birdfield.view.state import View

if TYPE_CHECKING:  # Rich takes a while to import
    from rich.live import Live

REFRESH_HZ = 2  # drawing is not free, and most of what is shown changes each 2.4 s


def can_show(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal that can show more than lines."""
    return (
        stream.isatty()
        and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
        and (stream.encoding or "").lower().replace("-", "") == "utf8"
    )


def end_with_terminal(stop: Callable[[], None]) -> None:
    """Call stop when the terminal goes away, as with a lost connection: nobody would see the rest.

    Where there is one still, or never was, SIGHUP means what it did; dying at once becomes stop.
    """
    before = signal.getsignal(signal.SIGHUP)
    if before is signal.SIG_IGN or not _has_terminal():  # by nohup, or a service
        return

    def hang_up(number: int, frame: FrameType | None) -> None:
        if _has_terminal() and callable(before):
            before(number, frame)
        else:
            stop()

    signal.signal(signal.SIGHUP, hang_up)


def _has_terminal() -> bool:
    return any(os.isatty(descriptor) for descriptor in range(3))  # none is, once it hung up


def show_view(view: View, observations: Iterator[Observation]) -> None:
    """Draw a view on stdout's terminal until its scene is over.

    Args:
        view: Of the scene.
        observations: What drives it; each is in the view already.
    """
    from rich.console import Console, RenderableType
    from rich.live import Live

    from birdfield.view.layout import draw

    console = Console()

    def drawn() -> RenderableType:
        if view.microphone is not None:
            view.microphone.poll()
        return draw(view, console.width, console.height, console.color_system is not None)

    live = Live(get_renderable=drawn, console=console, screen=True, refresh_per_second=REFRESH_HZ)
    with _log_into(view), live, _pausing(live):
        for _ in observations:
            pass
    health = view.health()
    console.print(
        f"{health.windows} windows, {view.answers} answers; idle {health.idle}, skipped "
        f"{health.skipped}, rested {health.rested}",
        highlight=False,
    )


@contextmanager
def _pausing(live: "Live") -> Iterator[None]:
    """Give the terminal back also while Ctrl-Z stops the process."""

    def pause(*_: object) -> None:
        live.stop()
        os.kill(os.getpid(), signal.SIGSTOP)  # goes on here after `fg`
        live.start()

    before = signal.signal(signal.SIGTSTP, pause)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)


class _Keeper(logging.Handler):
    """Puts messages into a view, and keeps the newest for later."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        self._view.messages.append(self.format(record))


@contextmanager
def _log_into(view: View) -> Iterator[None]:
    """Show the log in a view where it would be written over it; it is written out afterwards."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    if not sys.stderr.isatty():
        yield
        return
    keeper = _Keeper(view)
    root.handlers[:] = [keeper]
    try:
        yield
    finally:
        root.handlers[:] = handlers
        for line in view.messages:
            print(line, file=sys.stderr)
