"""What the doctor finds: each thing that was looked at, how it is, and what to do."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from birdfield.errors import BirdfieldError


@dataclass(frozen=True)
class Finding:
    """One line of `birdfield doctor`.

    Attributes:
        name: What was looked at.
        state: "ok", "warn" or "fail".
        found: What was found.
        todo: What to do about it; empty when it is ok.
    """

    name: str
    state: str
    found: str
    todo: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the form of `doctor --json`."""
        return asdict(self)

    def to_line(self) -> str:
        """Write it for a person."""
        return f"{self.state:<4}  {self.name}: {self.found}" + (
            f"; {self.todo}" if self.todo else ""
        )


def guarded(name: str, look: Callable[[], Finding]) -> Finding:
    """Look at something; what cannot be looked at has failed."""
    try:
        return look()
    except BirdfieldError as error:
        found, _, todo = str(error).rpartition("; ")
        return Finding(name, "fail", found or todo, todo if found else "set that right")
    except OSError as error:
        return Finding(
            name,
            "fail",
            f"{error.filename or 'the system'}: {error.strerror or error}",
            "see the system's log: dmesg",
        )
