"""An observation: one decision with its time and sources, and the JSON that users are given."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from birdfield.model.names import LABELS, Names
from birdfield.recognise.decide import Decision

DECIMALS = 4
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
)


@dataclass(frozen=True)
class Observation:
    """What was decided, when and from what.

    Attributes:
        time: When it was observed, aware, UTC.
        start_s: Where its window starts, in seconds of the scene; None for single files.
        end_s: Where its window ends.
        decision: The answer.
        image_source: The camera, video or photograph; None when there is none.
        audio_source: The microphone or recording; None when there is none.
    """

    time: datetime
    start_s: float | None
    end_s: float | None
    decision: Decision
    image_source: str | None
    audio_source: str | None


def to_json(observation: Observation, model_id: str) -> dict[str, Any]:
    """Return the form that `identify` and `watch` write, its numbers rounded to DECIMALS."""
    decision = observation.decision
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
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DECIMALS)


def to_line(entry: dict[str, Any], names: Names = LABELS) -> str:
    """Write such an entry as a line for a person, with species by these names."""
    files = " + ".join(name for name in entry["file"].values() if name)
    when = "" if entry["start_s"] is None else f"  {entry['start_s']:.1f}-{entry['end_s']:.1f} s"
    top = ", ".join(f"{names.full(row['species'])} {row['score']:.2f}" for row in entry["top"])
    answer = f"unknown (nearest: {top})" if entry["unknown"] else top
    doubt = "; sight and sound disagree" if entry["agreement"] == "disagree" else ""
    return f"{files}{when}  [{'+'.join(entry['senses'])}]  {answer}{doubt}"


def harmless(value: Any) -> Any:
    """Keep a spreadsheet from taking text for a formula: a species' name may be anybody's."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def to_csv(entries: Sequence[dict[str, Any]]) -> str:
    """Write such entries as CSV with the columns COLUMNS."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for entry in entries:
        tops = {f"top{rank}": row["species"] for rank, row in enumerate(entry["top"], 1)}
        qualities = {f"{sense}_quality": value for sense, value in entry["quality"].items()}
        row = {
            **{name: entry[name] for name in COLUMNS if name in entry},
            **entry["file"],
            **qualities,
            **tops,
            "senses": "+".join(entry["senses"]),
        }
        writer.writerow({name: harmless(value) for name, value in row.items()})
    return stream.getvalue()
