"""Observation: a decision with its time and sources, as JSON, CSV or a line of text."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypedDict, TypeVar
from urllib.parse import urlsplit

from birdfield.model.names import LABELS_ONLY, Names
from birdfield.recognise.decide import Agreement, Decision
from birdfield.recognise.reason import Figure, explain
from birdfield.signals.recording_time import RecordingTime

DECIMALS = 4  # of the numbers in JSON and CSV
LEAST_SHOWN = 0.005  # a candidate with a lower score would be shown as 0.00
COLUMNS = (
    "time",
    "image",
    "audio",
    "start_s",
    "end_s",
    "species",
    "score",
    "similarity",
    "margin",
    "unknown",
    "senses",
    "agreement",
    "image_quality",
    "audio_quality",
    "top1",
    "top2",
    "top3",
    "model",
    "reason",
    "figure",
    "value",
    "needed",
    "recorded_at",
    "recorded_at_source",
)

Cell = TypeVar("Cell")


class BySense(TypedDict):
    """Sources, by sense."""

    image: str | None
    audio: str | None


class Qualities(TypedDict):
    """Signal qualities, by sense."""

    image: float | None
    audio: float | None


class TopSpecies(TypedDict):
    """One of the nearest species."""

    species: str
    score: float


class DecidingFigure(TypedDict):
    """The figure on which a decision hangs, and the least value of a known answer."""

    figure: str
    value: float
    needed: float


class ObservationEntry(TypedDict):
    """JSON form of an observation."""

    time: str
    file: BySense
    start_s: float | None
    end_s: float | None
    species: str | None
    score: float
    similarity: float
    margin: float
    unknown: bool
    senses: list[str]
    agreement: str
    quality: Qualities
    top: list[TopSpecies]
    model: str
    reason: str | None
    decided_by: DecidingFigure | None
    recorded_at: str | None
    recorded_at_source: str | None


@dataclass(frozen=True)
class Observation:
    """A decision with its time and sources.

    Attributes:
        time: Time of the observation, aware, UTC.
        start_s: Start of its window, in seconds of the scene; None for a photograph.
        end_s: End of its window, likewise.
        decision: The decision.
        image_source: The camera, video or photograph; None without a picture.
        audio_source: The microphone or recording; None without a sound.
        recorded: Time at which the window or the photograph was recorded, and what states it; None
            where nothing does.
    """

    time: datetime
    start_s: float | None
    end_s: float | None
    decision: Decision
    image_source: str | None
    audio_source: str | None
    recorded: RecordingTime | None = None


def to_json(observation: Observation, model_id: str) -> ObservationEntry:
    """Return the JSON form, with numbers rounded to DECIMALS."""
    decision, recorded = observation.decision, observation.recorded
    return {
        "time": observation.time.isoformat(),
        "file": {"image": observation.image_source, "audio": observation.audio_source},
        "start_s": _rounded(observation.start_s),
        "end_s": _rounded(observation.end_s),
        "species": decision.species,
        "score": round(decision.score, DECIMALS),
        "similarity": round(decision.similarity, DECIMALS),
        "margin": round(decision.margin, DECIMALS),
        "unknown": decision.unknown,
        "senses": list(decision.senses),
        "agreement": decision.agreement,
        "quality": {
            "image": _rounded(decision.image_quality),
            "audio": _rounded(decision.audio_quality),
        },
        "top": [
            {"species": species, "score": round(score, DECIMALS)} for species, score in decision.top
        ],
        "model": model_id,
        "reason": decision.reason,
        "decided_by": _deciding(decision.figure),
        "recorded_at": None if recorded is None else recorded.start.isoformat(),
        "recorded_at_source": None if recorded is None else recorded.source.value,
    }


def _deciding(figure: Figure | None) -> DecidingFigure | None:
    if figure is None:
        return None
    value, needed = round(figure.value, DECIMALS), round(figure.needed, DECIMALS)
    return {"figure": figure.measure, "value": value, "needed": needed}


def to_watch_line(observation: Observation, names: Names = LABELS_ONLY) -> str:
    """Return a line of text for a watched scene: the local time, and the sources' short names."""
    sources = " + ".join(
        short_source(source)
        for source in (observation.image_source, observation.audio_source)
        if source
    )
    answer = _answer(observation, names, LEAST_SHOWN)
    return f"{observation.time.astimezone():%H:%M:%S}  {sources}  {answer}"


def short_source(name: str) -> str:
    """Return the file name of a path, the host of a URL, or the name of a device."""
    if "://" in name:
        return urlsplit(name).hostname or name
    return Path(name).name or name


def to_line(observation: Observation, names: Names = LABELS_ONLY) -> str:
    """Return a line of text, with the species' names."""
    files = " + ".join(filter(None, (observation.image_source, observation.audio_source)))
    window = (
        ""
        if observation.start_s is None
        else f"  {observation.start_s:.1f}-{observation.end_s:.1f} s"
    )
    return f"{files}{window}  {_answer(observation, names, 0.0)}"


def _answer(observation: Observation, names: Names, least: float) -> str:
    decision = observation.decision
    answer = answer_text(decision, names, least)
    doubt = "; sight and sound disagree" if decision.agreement == Agreement.DISAGREE else ""
    return f"[{'+'.join(decision.senses)}]  {answer}{doubt}"


def answer_text(decision: Decision, names: Names, least: float) -> str:
    """Return the answer with the figure on which it hangs, and why it is *unknown*.

    The species after the first are listed from a score of `least` on.
    """
    shown = [
        f"{names.full(species)} {score:.2f}"
        for place, (species, score) in enumerate(decision.top)
        if score >= least or not place
    ]
    top = ", ".join(shown)
    figure = f" ({decision.figure})" if decision.figure else ""
    if decision.reason is None:
        return f"{top}{figure}"
    refused = names.full(decision.refused or decision.top[0][0])
    return f"unknown: {explain(decision.reason, refused)}{figure}; nearest: {top}"


def to_csv(entries: Iterable[ObservationEntry]) -> str:
    """Return CSV text with the columns COLUMNS."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for entry in entries:
        row = _csv_row(entry)
        writer.writerow({name: escape_formula(value) for name, value in row.items()})
    return stream.getvalue()


def escape_formula(value: Cell) -> Cell | str:
    """Return a cell that a spreadsheet shows as text, even for a name that looks like a formula."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


def _csv_row(entry: ObservationEntry) -> dict[str, object]:
    own = {name: value for name, value in entry.items() if name in COLUMNS}
    return {
        **own,
        **entry["file"],
        "image_quality": entry["quality"]["image"],
        "audio_quality": entry["quality"]["audio"],
        **{f"top{rank}": top["species"] for rank, top in enumerate(entry["top"], 1)},
        "senses": "+".join(entry["senses"]),
        **(entry["decided_by"] or {}),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DECIMALS)
