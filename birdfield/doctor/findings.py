"""Findings: the result of each check, with the next step."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

from birdfield.errors import BirdfieldError
from birdfield.redaction import mask_text

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        name: The thing that was checked.
        state: Whether it is in order.
        found: What was found.
        todo: The next step; empty when `state` is ok.
    """

    name: str
    state: State
    found: str
    todo: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the JSON form."""
        return asdict(self)

    def to_line(self) -> str:
        """Return a line for a person."""
        return f"{self.state:<4}  {self.name}: {self.found}" + (
            f"; {self.todo}" if self.todo else ""
        )


def run_check(name: str, check: Callable[[], Finding]) -> Finding:
    """Run a check; return a failed finding when it raises an error."""
    try:
        return check()
    except BirdfieldError as error:
        found, _, todo = mask_text(str(error)).rpartition("; ")
        return Finding(name, "fail", found or todo, todo if found else "correct this")
    except OSError as error:
        return Finding(
            name,
            "fail",
            mask_text(f"{error.filename or 'the system'}: {error.strerror or error}"),
            "see the system's log: dmesg",
        )
