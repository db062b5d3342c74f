"""Source faults: the log lines and the events of sources that fail and recover."""

import logging
from collections.abc import Mapping

log = logging.getLogger(__name__)

REMAINING = {"camera": "deciding by sound alone", "microphone": "deciding by sight alone"}

Faults = Mapping[str, str | None]  # of each source that the scene has; None is usable


class FaultLog:
    """Logs each change of a source's fault once.

    Attributes:
        faults: The faults at the last update.
    """

    def __init__(self) -> None:
        """Start with usable sources."""
        self.faults: Faults = {}

    def update(self, faults: Faults) -> None:
        """Log what has changed since the last update."""
        usable = [name for name, fault in faults.items() if fault is None]
        for name, fault in faults.items():
            if fault == self.faults.get(name):
                continue
            if fault is None:
                log.info("%s is usable again", name)
            else:
                rest = REMAINING[name] if usable else "no decision"
                log.warning("%s: %s; %s", name, fault, rest)
        self.faults = faults


def fault_events(before: Faults, after: Faults) -> list[tuple[str, str]]:
    """Return the events of the sources whose fault has changed: kind and detail of each.

    A loss may be noticed before its reason is known: the reason then makes a second event.
    """
    events = []
    for name, fault in after.items():
        earlier = before.get(name)
        if fault != earlier:
            change = "back" if fault is None else "lost" if earlier is None else "still lost"
            events.append((f"{name} {change}", fault or "usable again"))
    return events
