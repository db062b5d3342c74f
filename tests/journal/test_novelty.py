"""Novelty: the marks of visits of new and rare species."""

import random
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from journal_rows import ROBIN

from birdfield.journal.entries import SessionEntry
from birdfield.journal.novelty import mark_next, mark_of
from birdfield.journal.opening import open_journal, read_journal
from birdfield.journal.queries import Selection, visits_of

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("own", "total", "mark"),
    [
        (None, None, None),
        (0, 0, "new"),
        (0, 500, "new"),
        (1, 99, None),
        (1, 150, "rare"),
        (2, 200, None),
    ],
)
def test_new_and_rare(own: int | None, total: int | None, mark: str | None) -> None:
    assert mark_of(own, total) == mark


def test_visits_are_marked(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        journal.start_session(SessionEntry("a1b2", NOON))
        assert mark_next(journal, "Robin") == "new" and mark_next(journal, None) is None
        for number, species in enumerate(
            ["Robin"] * 100 + ["Hoopoe"] + ["Robin"] * 100 + ["Hoopoe", None]
        ):
            started = NOON + timedelta(minutes=number)
            journal.add_visit(
                replace(ROBIN, species=species, started=started, ended=started, evidence=()), "a1b2"
            )
        assert mark_next(journal, "Hoopoe") == "rare" and mark_next(journal, "Jay") == "new"
    with closing(read_journal(tmp_path)) as journal:
        marked = {visit.id: visit.mark for visit in visits_of(journal, Selection()) if visit.mark}
        assert marked == {1: "new", 101: "new", 202: "rare"}
        assert mark_next(journal, "Robin") is None


def test_the_last_visits_have_the_marks_that_they_have_in_the_whole_list(tmp_path: Path) -> None:
    """Also with a filter, and where visits start at the same time or were written out of order."""
    rng = random.Random(1)
    with closing(open_journal(tmp_path)) as journal:
        journal.start_session(SessionEntry("a1b2", NOON))
        for _ in range(400):
            started = NOON + timedelta(minutes=rng.randrange(200))
            species = rng.choice(["Robin"] * 150 + ["Jay"] * 40 + ["Hoopoe", None, "Wren"])
            entry = replace(ROBIN, species=species, started=started, ended=started, evidence=())
            journal.add_visit(entry, "a1b2")
    with closing(read_journal(tmp_path)) as journal:
        every = [(visit.id, visit.mark) for visit in visits_of(journal, Selection())]
        assert {mark for _, mark in every} == {None, "new", "rare"}
        for last in (1, 7, 200):
            some = [(visit.id, visit.mark) for visit in visits_of(journal, Selection(last=last))]
            assert some == every[-last:]
        wrens = [(visit.id, visit.mark) for visit in visits_of(journal, Selection("Wren"))]
        assert wrens and set(wrens) <= set(every)
        earlier: list[str] = []
        for visit in visits_of(journal, Selection()):
            own = earlier.count(visit.species or "")
            assert visit.mark == (mark_of(own, len(earlier)) if visit.species else None)
            earlier += [visit.species] if visit.species else []
