"""History scored again: a journal's visits after the store has learnt, or forgotten, a species."""

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
from birdfield.model.encoder import DIM, Encoder, Vector
from birdfield.model.gallery import Gallery
from birdfield.model.sense import Sense
from birdfield.recognise.decide import Decision, decide
from birdfield.settings.rules import LiveRules, Rules
from birdfield.watch.visits import CLAIM_MIDPOINT

BATCH = 500  # visits a transaction

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rescored:
    """What became of a visit.

    Attributes:
        visit: Its id.
        before: Its species until now; None for undecided or unknown.
        after: Its species by the model as it is now, likewise.
        score: By the model as it is now.
        top: The nearest species with their probabilities.
        first: What was answered when the bird was there; None for undecided.
    """

    visit: int
    before: str | None
    after: str | None
    score: float
    top: tuple[tuple[str, float], ...]
    first: str | None


def check_models(journal: Journal, model: str) -> list[tuple[str, int]]:
    """Tell which other models' visits a journal holds, and how many.

    Raises:
        InputError: When none of its visits is of this model.
    """
    rows = journal.database.execute(
        "SELECT model, count(DISTINCT visit) AS visits FROM embeddings GROUP BY model"
    ).fetchall()
    counts = {str(row["model"]): int(row["visits"]) for row in rows}
    others = [(other, count) for other, count in counts.items() if other != model]
    if model not in counts:
        held = ", ".join(other for other, _ in others)
        raise InputError(
            f"{journal.folder}: holds vectors of model {held}, but the bundle is model {model}; "
            "name the bundle that they were made with"
            if others
            else f"{journal.folder}: holds no vectors yet; there is nothing to score again"
        )
    return others


def rescore(
    journal: Journal,
    encoder: Encoder,
    gallery: Gallery,
    model: str,
    rules: Rules | None = None,
    dry_run: bool = False,
    renamed: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Rescored]:
    """Answer again for each visit whose vectors this model made, and write what changed.

    `first_species` stays what was answered when the bird was there, and so do the `candidates` of
    a visit that was undecided then. An answer that the rules do not want leaves a visit as it was.
    `renamed` are the new labels of species, by their old ones.

    Yields:
        The visits whose species changed.

    Raises:
        InputError: When the journal cannot be written, or a vector in it is damaged.
    """
    scientific = {entry.label: entry.scientific for entry in gallery.species}
    rules = rules or Rules()
    live, last = LiveRules(rules), 0
    while rows := _next(journal, model, last):
        last = rows[-1]["id"]
        changed = []
        for row in rows:
            try:
                started = datetime.fromisoformat(row["started"])
                wavered = [label for label, _ in json.loads(row["candidates"])]
            except (ValueError, TypeError):  # a worn card has changed a bit
                log.warning("visit %d is damaged, and left alone", row["id"])
                continue
            decision = decide(
                encoder,
                live.weigh(gallery, started),
                _vector(row, Sense.IMAGE),
                _vector(row, Sense.AUDIO),
            )
            species = _answer(row, wavered, decision, renamed)
            wanted = species is None or rules.allow(species, decision.score, started)
            if wanted and species != row["species"]:
                changed.append(
                    Rescored(
                        row["id"],
                        row["species"],
                        species,
                        decision.score,
                        decision.top,
                        row["first_species"],
                    )
                )
        if not dry_run:
            _write(journal, changed, scientific)
        yield from changed


def _next(journal: Journal, model: str, last: int) -> list[sqlite3.Row]:
    return journal.database.execute(
        "SELECT visits.id, started, species, first_species, candidates, "
        "max(CASE WHEN sense = 'image' THEN vector END) AS image, "
        "max(CASE WHEN sense = 'audio' THEN vector END) AS audio "
        "FROM visits JOIN embeddings ON visit = visits.id AND model = ? WHERE visits.id > ? "
        "GROUP BY visits.id ORDER BY visits.id LIMIT ?",
        (model, last, BATCH),
    ).fetchall()


def _answer(
    row: sqlite3.Row, wavered: Sequence[str], decision: Decision, renamed: Mapping[str, str]
) -> str | None:
    """Name the species of a visit by its mean vector, as far as that tells more than its windows.

    A visit may be of a species of which no window was sure enough, and nor is their mean. Between
    which species the windows of an undecided one wavered, there their mean leans to one of them
    always; only another species, enrolled since, explains them.
    """
    nearest = decision.top[0][0]
    # What counts half in a window is sure enough of a mean of several.
    sure = nearest if decision.margin_over_unknown >= CLAIM_MIDPOINT else None

    def is_nearest(label: str | None) -> bool:
        return label is not None and nearest in (label, renamed.get(label))

    if row["first_species"] is not None:
        return nearest if is_nearest(row["species"]) else sure
    return None if any(map(is_nearest, wavered)) else sure


def _vector(row: sqlite3.Row, sense: Sense) -> Vector | None:
    data = row[sense]
    if data is None:
        return None
    if len(data) != 4 * DIM:
        raise InputError(f"visit {row['id']}: its vector has {len(data)} bytes; expected {4 * DIM}")
    return np.frombuffer(data, "<f4").astype(np.float32)


def _write(journal: Journal, changed: list[Rescored], scientific: dict[str, str | None]) -> None:
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
