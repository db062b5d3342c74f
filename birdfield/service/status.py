"""Status: what a running watch reports of itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from birdfield.model.sense import Sense
from birdfield.service.process import is_running
from birdfield.watch.sources import SourceInfo

STALL_S = 45.0  # an analysis that has not written its status for so long has stalled


def now_utc() -> datetime:
    """Return the time to the second, UTC."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class LastAnswer:
    """The last window in which a species was recognised.

    Attributes:
        species: The label.
        score: The score, 0..1.
        senses: The senses that were used.
        time: The time of the answer, aware.
    """

    species: str
    score: float
    senses: tuple[Sense, ...]
    time: datetime


@dataclass(frozen=True)
class Status:
    """The status of one watch.

    Attributes:
        model: The identifier of the model.
        camera: The name of the camera; None without one.
        microphone: The name of the microphone; None without one.
        journal: The folder of the journal; None without one.
        pid: The number of the process.
        born: The start of the process, as `start_ticks` returns it.
        started: When the watch started, aware.
        updated: When the status was written, aware.
        windows: The number of windows that were processed.
        dropped: The number of windows left out because processing was late.
        visits: The number of visits that were written.
        faults: Why each source is not usable; None if it is.
        last: The last answer; None before the first.
    """

    model: str
    camera: str | None
    microphone: str | None
    journal: str | None
    pid: int
    born: int | None
    started: datetime = field(default_factory=now_utc)
    updated: datetime = field(default_factory=now_utc)
    windows: int = 0
    dropped: int = 0
    visits: int = 0
    faults: Mapping[str, str | None] = field(default_factory=dict)
    last: LastAnswer | None = None

    @property
    def age_s(self) -> float:
        """The time since the status was written."""
        return (datetime.now(UTC) - self.updated).total_seconds()

    @property
    def running(self) -> bool:
        """Whether the process of the watch is running."""
        return is_running(self.pid, self.born)

    @property
    def state(self) -> str:
        """The state of the watch: "watching", "stalled" or "gone"."""
        if not self.running:
            return "gone"
        return "stalled" if self.age_s > STALL_S else "watching"


def initial_status(
    model_id: str, sources: SourceInfo, journal: Path | None, pid: int, born: int | None
) -> Status:
    """Return the status of a watch before its first window."""
    folder = str(journal.absolute()) if journal else None
    return Status(model_id, sources.camera, sources.microphone, folder, pid, born)


class LastAnswerEntry(TypedDict):
    """JSON form of the last answer."""

    species: str
    score: float
    senses: list[Sense]
    time: str


class StatusEntry(TypedDict):
    """JSON form of a status, in its file and on the command line."""

    started: str
    windows: int
    skipped: int
    visits: int
    last: LastAnswerEntry | None
    faults: dict[str, str | None]
    model: str
    camera: str | None
    microphone: str | None
    journal: str | None
    updated: str
    pid: int
    born: int | None


def to_json(status: Status) -> StatusEntry:
    """Return the JSON form of a status."""
    last = status.last
    return {
        "started": status.started.isoformat(),
        "windows": status.windows,
        "skipped": status.dropped,
        "visits": status.visits,
        "last": None
        if last is None
        else {
            "species": last.species,
            "score": last.score,
            "senses": list(last.senses),
            "time": last.time.isoformat(),
        },
        "faults": dict(status.faults),
        "model": status.model,
        "camera": status.camera,
        "microphone": status.microphone,
        "journal": status.journal,
        "updated": status.updated.isoformat(),
        "pid": status.pid,
        "born": status.born,
    }


def from_json(entry: Mapping[str, object]) -> Status:
    """Return the status in a status file.

    Raises:
        KeyError: When a key is missing.
        TypeError: When a value has another type.
        ValueError: When a time or the number of a process is malformed.
    """
    last = entry["last"]
    return Status(
        model=_text(entry["model"]),
        camera=_optional_text(entry["camera"]),
        microphone=_optional_text(entry["microphone"]),
        journal=_optional_text(entry["journal"]),
        pid=_pid(entry["pid"]),
        born=None if entry["born"] is None else _count(entry["born"]),
        started=_time(entry["started"]),
        updated=_time(entry["updated"]),
        windows=_count(entry["windows"]),
        dropped=_count(entry["skipped"]),
        visits=_count(entry["visits"]),
        faults={name: _optional_text(fault) for name, fault in _object(entry["faults"]).items()},
        last=None if last is None else _last_answer(_object(last)),
    )


def _last_answer(entry: Mapping[str, object]) -> LastAnswer:
    score, senses = entry["score"], entry["senses"]
    if not isinstance(score, int | float):
        raise TypeError(f"{score!r} is not a number")
    if not isinstance(senses, list):
        raise TypeError(f"{senses!r} is not a list")
    return LastAnswer(
        _text(entry["species"]), score, tuple(map(Sense, senses)), _time(entry["time"])
    )


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is not an object")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _optional_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _count(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _pid(value: object) -> int:
    pid = _count(value)
    if pid < 1:  # os.kill would mean a group of processes
        raise ValueError(f"{pid} is not the number of a process")
    return pid


def _time(value: object) -> datetime:
    time = datetime.fromisoformat(_text(value))
    if time.tzinfo is None:
        raise ValueError(f"{value!r} has no UTC offset")
    return time


def status_lines(status: Status) -> list[str]:
    """Return a status as lines of text."""
    last = status.last
    answer = (
        f"{last.species} {last.score:.2f} at {last.time.isoformat()}" if last else "nothing yet"
    )
    lines = [
        f"{status.state} since {status.started.isoformat()}, process {status.pid}, updated "
        f"{status.age_s:.0f} s ago",
        f"windows: {status.windows}, dropped: {status.dropped}, model {status.model}",
        f"last: {answer}",
    ]
    sources = {"camera": status.camera, "microphone": status.microphone}
    lines += [
        f"{name} {sources.get(name)}: {fault or 'usable'}" for name, fault in status.faults.items()
    ]
    if status.journal:
        lines.append(f"journal: {status.journal}, visits: {status.visits}")
    return lines
