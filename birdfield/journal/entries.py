"""Entries: what a watch writes to a journal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from birdfield.capture.latency import NO_LATENCY, Latency
from birdfield.model.sense import Sense
from birdfield.recognise.decide import Agreement
from birdfield.signals.boxes import Box


@dataclass(frozen=True)
class SessionEntry:
    """A watch, to which visits and events belong.

    Attributes:
        model: The id of the model.
        started: The aware time at which the watch started.
        camera: The name of the camera; None without one.
        microphone: The name of the microphone; None without one.
        boot: The name of the boot; None if the sources are files.
        latency: The delays that the watch allows for.
    """

    model: str
    started: datetime
    camera: str | None = None
    microphone: str | None = None
    boot: str | None = None
    latency: Latency = NO_LATENCY


class EventEntry(NamedTuple):
    """Something that happened to the station.

    Attributes:
        time: The aware time of the event.
        kind: The kind, such as "camera lost".
        detail: The detail, as text.
    """

    time: datetime
    kind: str
    detail: str


@dataclass(frozen=True)
class EvidenceFile:
    """A file of evidence.

    Attributes:
        kind: "picture", "sound" or "sonogram".
        path: The path relative to the folder of the journal.
        size: The size in bytes.
        score: The score of its window, 0..1.
        start_s: The start of what it shows, in seconds of the scene.
        end_s: The end of what it shows, in seconds of the scene.
        box: In a picture, the left, top, width and height of what moved, in its own pixels.
    """

    kind: str
    path: str
    size: int
    score: float
    start_s: float
    end_s: float
    box: Box | None = None


@dataclass(frozen=True)
class VisitEntry:
    """A visit, which one transaction writes.

    Attributes:
        species: The label; None for an undecided visit.
        scientific: The scientific name, if the model has it.
        started: The aware time of its start.
        ended: The aware time of its end.
        start_s: Its start, in seconds of the scene.
        end_s: Its end, in seconds of the scene.
        score: The score of its best window, 0..1.
        senses: The sense, or both.
        agreement: Whether the senses agree; for an undecided visit they disagree.
        windows: The number of its windows.
        candidates: Species and their shares of the support, 0..1, the largest first.
        embeddings: The pooled vector of each tower, float32 little endian, by sense.
        evidence: The files that were kept.
    """

    species: str | None
    scientific: str | None
    started: datetime
    ended: datetime
    start_s: float
    end_s: float
    score: float
    senses: Sense
    agreement: Agreement
    windows: int
    candidates: tuple[tuple[str, float], ...]
    embeddings: Mapping[Sense, bytes] = field(default_factory=dict)
    evidence: tuple[EvidenceFile, ...] = ()
