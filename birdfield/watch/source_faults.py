"""Source faults: the log lines and the events of sources that fail and recover."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

log = logging.getLogger(__name__)

REMAINING = {"camera": "deciding by sound alone", "microphone": "deciding by sight alone"}

Faults = Mapping[str, str | None]  # of each source that the scene has; None is usable


class Change(StrEnum):
    """What has become of a source; a source that was never usable is not lost."""

    AWAITED = "awaited"
    STILL_AWAITED = "still awaited"  # the reason is another one, such as a more precise one
    FOUND = "found"
    LOST = "lost"
    STILL_LOST = "still lost"
    BACK = "back"


@dataclass(frozen=True)
class FaultChange:
    """A change of a source.

    Attributes:
        source: "camera" or "microphone".
        change: What has become of it.
        fault: Why it is not usable; None if it is.
    """

    source: str
    change: Change
    fault: str | None

    @property
    def event(self) -> tuple[str, str]:
        """The kind and the detail of the journal's event."""
        usable = "usable" if self.change == Change.FOUND else "usable again"
        return f"{self.source} {self.change}", self.fault or usable


class FaultTracker:
    """Follows the faults of sources.

    Attributes:
        faults: The faults at the last update.
    """

    def __init__(self) -> None:
        """Start before the first window."""
        self.faults: Faults = {}
        self._worked: set[str] = set()  # the sources that were usable once

    def update(self, faults: Faults) -> list[FaultChange]:
        """Return what has changed since the last update."""
        changes = [
            FaultChange(name, self._change(name, fault), fault)
            for name, fault in faults.items()
            if fault != self.faults.get(name)
        ]
        self._worked |= {name for name, fault in faults.items() if fault is None}
        self.faults = dict(faults)
        return changes

    def _change(self, name: str, fault: str | None) -> Change:
        worked, same = name in self._worked, self.faults.get(name) is not None
        if fault is None:
            return Change.BACK if worked else Change.FOUND
        if worked:
            return Change.STILL_LOST if same else Change.LOST
        return Change.STILL_AWAITED if same else Change.AWAITED


def log_changes(changes: list[FaultChange], faults: Faults) -> None:
    """Log changes, and what the scene decides by with the present faults."""
    usable = None in faults.values()
    for each in changes:
        if each.fault is None:
            log.info("%s is usable%s", each.source, " again" if each.change == Change.BACK else "")
            continue
        awaited = each.change in (Change.AWAITED, Change.STILL_AWAITED)
        source = f"waiting for the {each.source}" if awaited else each.source
        rest = REMAINING[each.source] if usable else "no decision"
        log.warning("%s: %s; %s", source, each.fault, rest)
