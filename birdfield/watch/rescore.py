"""Rescore: answers for past visits again, after the store has changed."""

import json
import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

import numpy as np

from birdfield.errors import InputError
from birdfield.journal.database import Journal
from birdfield.model.encoder import DIM, Vector
from birdfield.model.sense import Sense
from birdfield.model.species import is_same_name
from birdfield.recognise.decide import Decision, decide
from birdfield.watch.claims import CLAIM_MIDPOINT
from birdfield.watch.recogniser import Recogniser

BATCH = 500  # visits in one transaction

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rescored:
    """A visit whose species has changed.

    Attributes:
        visit: The id of the visit.
        before: The species until now; None for undecided or unknown.
        after: The species by the present model, likewise.
        score: The score by the present model.
        top: The nearest species with their probabilities.
        first: The answer at the time of the visit; None for undecided.
    """

    visit: int
    before: str | None
    after: str | None
    score: float
    top: tuple[tuple[str, float], ...]
    first: str | None


@dataclass(frozen=True)
class _StoredVisit:
    """A visit as the journal holds it, with the vectors of one model."""

    id: int
    started: datetime
    species: str | None
    first: str | None
    candidates: tuple[str, ...]
    vectors: Mapping[Sense, Vector]


def check_models(journal: Journal, model_id: str) -> list[tuple[str, int]]:
    """Return the other models of which a journal holds vectors, with their numbers of visits.

    Raises:
        InputError: When the journal holds no vectors of this model.
    """
    rows = journal.database.execute(
        "SELECT model, count(DISTINCT visit) AS visits FROM embeddings GROUP BY model"
    ).fetchall()
    counts = {str(row["model"]): int(row["visits"]) for row in rows}
    others = [(other, count) for other, count in counts.items() if other != model_id]
    if model_id not in counts:
        held = ", ".join(other for other, _ in others)
        raise InputError(
            f"{journal.folder}: holds vectors of model {held}, but the bundle is model {model_id}; "
            "name the bundle that they were made with"
            if others
            else f"{journal.folder}: holds no vectors yet; there is nothing to score again"
        )
    return others


def rescore(
    journal: Journal,
    recogniser: Recogniser,
    renamed: Mapping[str, str] = MappingProxyType({}),
    dry_run: bool = False,
) -> Iterator[Rescored]:
    """Answer again for each visit that has vectors of this model, and write the changes.

    `first_species` remains the answer at the time of the visit, and a visit that was undecided
    then keeps its `candidates`. An answer that the rules exclude changes nothing.

    Args:
        journal: A journal that is open for writing, or for reading with `dry_run`.
        recogniser: The model, its present gallery and the rules.
        renamed: The present labels of renamed species, by their old labels.
        dry_run: Whether to write nothing.

    Yields:
        The visits whose species changes.

    Raises:
        InputError: When the journal cannot be written, or a vector in it is damaged.
    """
    last = 0
    while rows := _next_rows(journal, recogniser.model_id, last):
        last = rows[-1]["id"]
        visits = [visit for visit in map(_stored_visit, rows) if visit is not None]
        results = [_rescored(visit, recogniser, renamed) for visit in visits]
        changed = [result for result in results if result is not None]
        if not dry_run:
            _write(journal, changed, recogniser)
        yield from changed


def _next_rows(journal: Journal, model_id: str, last: int) -> list[sqlite3.Row]:
    return journal.database.execute(
        "SELECT visits.id, started, species, first_species, candidates, "
        "max(CASE WHEN sense = 'image' THEN vector END) AS image, "
        "max(CASE WHEN sense = 'audio' THEN vector END) AS audio "
        "FROM visits JOIN embeddings ON visit = visits.id AND model = ? WHERE visits.id > ? "
        "GROUP BY visits.id ORDER BY visits.id LIMIT ?",
        (model_id, last, BATCH),
    ).fetchall()


def _stored_visit(row: sqlite3.Row) -> _StoredVisit | None:
    """Check a row; log and return None when it is damaged."""
    try:
        started = datetime.fromisoformat(row["started"])
        candidates = tuple(str(label) for label, _ in json.loads(row["candidates"]))
    except (ValueError, TypeError):  # a worn card has changed a bit
        log.warning("visit %d is damaged, and left alone", row["id"])
        return None
    vectors = {
        sense: _vector(row["id"], row[sense])
        for sense in (Sense.IMAGE, Sense.AUDIO)
        if row[sense] is not None
    }
    return _StoredVisit(
        row["id"], started, row["species"], row["first_species"], candidates, vectors
    )


def _vector(visit: int, data: bytes) -> Vector:
    if len(data) != 4 * DIM:
        raise InputError(f"visit {visit}: its vector has {len(data)} bytes; expected {4 * DIM}")
    return np.frombuffer(data, "<f4").astype(np.float32)


def _rescored(
    visit: _StoredVisit, recogniser: Recogniser, renamed: Mapping[str, str]
) -> Rescored | None:
    """Return a visit with its new species; None when it stays as it is."""
    decision = decide(
        recogniser.encoder,
        recogniser.gallery_at(visit.started),
        visit.vectors.get(Sense.IMAGE),
        visit.vectors.get(Sense.AUDIO),
    )
    species = _answer(visit, decision, renamed)
    rules = recogniser.rules.current
    allowed = species is None or rules.allow(species, decision.score, visit.started)
    if not allowed or species == visit.species:
        return None
    return Rescored(visit.id, visit.species, species, decision.score, decision.top, visit.first)


def _answer(visit: _StoredVisit, decision: Decision, renamed: Mapping[str, str]) -> str | None:
    """Return the species of a visit by its mean vector, where that is better than its windows.

    A visit keeps its species while that is the nearest, even if the mean vector is uncertain:
    many uncertain windows made the visit, too. An undecided visit stays undecided while one of its
    candidates is the nearest, as the mean of their windows always is nearer to one of them; only a
    species that was enrolled since may name it.
    """
    nearest = decision.top[0][0]
    # A margin that gives a single window half its weight is enough for the mean of several.
    certain = nearest if decision.margin_over_unknown >= CLAIM_MIDPOINT else None

    def is_nearest(label: str | None) -> bool:
        return label is not None and (
            is_same_name(nearest, label)
            or any(
                is_same_name(old, label) and is_same_name(nearest, new)
                for old, new in renamed.items()
            )
        )

    if visit.first is not None:
        return nearest if is_nearest(visit.species) else certain
    return None if any(map(is_nearest, visit.candidates)) else certain


def _write(journal: Journal, changed: Sequence[Rescored], recogniser: Recogniser) -> None:
    scientific = {each.label: each.scientific for each in recogniser.gallery.species}
    try:
        with journal.transaction() as database:
            database.executemany(
                "UPDATE visits SET species = ?, scientific = ?, score = ?, candidates = "
                "CASE WHEN first_species IS NULL THEN candidates ELSE ? END WHERE id = ?",
                [
                    (
                        each.after,
                        scientific.get(each.after or ""),
                        each.score,
                        json.dumps(each.top, ensure_ascii=False),
                        each.visit,
                    )
                    for each in changed
                ],
            )
    except sqlite3.Error as error:
        raise InputError(f"{journal.folder}: the journal cannot be written ({error})") from error
