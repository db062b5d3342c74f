"""Records: a visit and an event as read from a journal, and their JSON forms."""

from dataclasses import dataclass
from datetime import datetime

from birdfield.model.sense import Sense
from birdfield.recognise.decide import Agreement

VISIT_COLUMNS = (
    "id",
    "session",
    "started",
    "ended",
    "species",
    "scientific",
    "first_species",
    "score",
    "senses",
    "agreement",
    "windows",
    "candidates",
    "clock_shift_s",
    "start_s",
    "end_s",
    "picture",
    "sound",
    "sonogram",
    "model",
    "mark",
)
UNDECIDED = "undecided"  # what users call a visit without a species
EVENT_COLUMNS = ("id", "session", "time", "kind", "detail", "clock_shift_s")


@dataclass(frozen=True)
class Candidate:
    """A species that windows of a visit named.

    Attributes:
        species: Its label.
        share: Its share of the support, 0..1, rounded.
    """

    species: str
    share: float


@dataclass(frozen=True)
class VisitRecord:
    """A visit as read from a journal; scores and scene times are rounded.

    Attributes:
        id: The number of the visit.
        session: The number of its session.
        started: The aware time of its start, at the offset of local time then.
        ended: The aware time of its end, at the same offset.
        species: The label; None for an undecided visit, or for one that is unknown since a
            rescore.
        scientific: The scientific name; None if neither the model nor the journal has it.
        first_species: The label of the first answer, which a rescore does not change.
        score: The score of its best window, 0..1.
        senses: The sense, or both.
        agreement: Whether the senses agree; for an undecided visit they disagree.
        windows: The number of its windows.
        candidates: Species and their shares of the support, the largest first.
        clock_shift_s: The sum of later corrections of its times, in seconds.
        start_s: Its start, in seconds of the session's scene.
        end_s: Its end, in seconds of the session's scene.
        picture: The path of the picture, relative to the journal; None if there is none.
        sound: The path of the sound, likewise.
        sonogram: The path of the sonogram, likewise.
        model: The id of the model.
        mark: "new" or "rare"; None for other visits, and where marks were not asked for.
    """

    id: int
    session: int
    started: datetime
    ended: datetime
    species: str | None
    scientific: str | None
    first_species: str | None
    score: float
    senses: Sense
    agreement: Agreement
    windows: int
    candidates: tuple[Candidate, ...]
    clock_shift_s: float
    start_s: float
    end_s: float
    picture: str | None
    sound: str | None
    sonogram: str | None
    model: str
    mark: str | None

    def to_json(self) -> dict[str, object]:
        """Return the visit as a JSON object with the keys VISIT_COLUMNS."""
        entry = {name: getattr(self, name) for name in VISIT_COLUMNS}
        entry["started"] = self.started.isoformat(timespec="milliseconds")
        entry["ended"] = self.ended.isoformat(timespec="milliseconds")
        entry["senses"], entry["agreement"] = self.senses.value, self.agreement.value
        entry["candidates"] = [
            {"species": each.species, "share": each.share} for each in self.candidates
        ]
        return entry


@dataclass(frozen=True)
class EventRecord:
    """An event as read from a journal.

    Attributes:
        id: The number of the event.
        session: The number of its session; None if a repair lost the session.
        time: The aware local time.
        kind: The kind, such as "camera lost".
        detail: More about it.
        clock_shift_s: The sum of later corrections of its time, in seconds.
    """

    id: int
    session: int | None
    time: datetime
    kind: str
    detail: str
    clock_shift_s: float

    def to_json(self) -> dict[str, object]:
        """Return the event as a JSON object with the keys EVENT_COLUMNS."""
        entry = {name: getattr(self, name) for name in EVENT_COLUMNS}
        entry["time"] = self.time.isoformat(timespec="milliseconds")
        return entry
