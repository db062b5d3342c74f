"""Terminal: shows a view on the whole screen, and restores the screen afterwards."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, TextIO

from birdfield.recognise.observation import Observation
from birdfield.redaction import MaskingFormatter
from birdfield.view.state import View

if TYPE_CHECKING:  # Rich takes a while to import
    from rich.live import Live

REFRESH_HZ = 2  # drawing costs time, and most of the view changes every 2.4 s


def can_show(stream: TextIO) -> bool:
    """Return whether a stream is a terminal that can show a view."""
    return (
        stream.isatty()
        and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
        and (stream.encoding or "").lower().replace("-", "") == "utf8"
    )


def end_with_terminal(stop: Callable[[], None]) -> None:
    """Make SIGHUP call `stop` when the terminal has closed, such as with a lost connection.

    While a terminal is open, an earlier handler of SIGHUP remains in use. Nothing changes for a
    process without a terminal, or one that ignores SIGHUP.
    """
    before = signal.getsignal(signal.SIGHUP)
    if before is signal.SIG_IGN or not _has_terminal():  # under nohup, or as a service
        return

    def hang_up(number: int, frame: FrameType | None) -> None:
        if _has_terminal() and callable(before):
            before(number, frame)
        else:
            stop()

    signal.signal(signal.SIGHUP, hang_up)


def _has_terminal() -> bool:
    """Return whether a standard stream is a terminal; none is, once it has closed."""
    descriptors = {0, 1, 2}
    with suppress(AttributeError, OSError, ValueError):  # Python's stderr may have its own
        descriptors.add(sys.stderr.fileno())
    return any(os.isatty(each) for each in descriptors)


def show_view(view: View, observations: Iterator[Observation]) -> None:
    """Show a view on the terminal of stdout until its scene ends.

    Args:
        view: The view of the scene.
        observations: The observations of the scene; reading them advances the view.
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
        f"{health.windows} windows, {view.answers} answers; {health.quiet} quiet, "
        f"{health.dropped} dropped, {health.throttled} throttled",
        highlight=False,
    )


@contextmanager
def _pausing(live: "Live") -> Iterator[None]:
    """Restore the screen while Ctrl-Z stops the process."""

    def pause(*_: object) -> None:
        live.stop()
        os.kill(os.getpid(), signal.SIGSTOP)  # continues here after `fg`
        live.start()

    before = signal.signal(signal.SIGTSTP, pause)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)


class _ViewHandler(logging.Handler):
    """A log handler that adds lines to a view."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view
        self.setFormatter(MaskingFormatter("%(asctime)s %(message)s", "%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        self._view.messages.append(self.format(record))


@contextmanager
def _log_into(view: View) -> Iterator[None]:
    """Show the log in the view, and print it afterwards, if stderr is the terminal, too."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    if not sys.stderr.isatty():
        yield
        return
    root.handlers[:] = [_ViewHandler(view)]
    try:
        yield
    finally:
        root.handlers[:] = handlers
        for line in view.messages:
            print(line, file=sys.stderr)
