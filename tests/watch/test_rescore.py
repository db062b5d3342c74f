"""Rescore: past visits after species were enrolled, removed or renamed."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import BluePitch, at, factory
from journal_rows import DAWN, ROBIN
from numpy.typing import NDArray

from birdfield.errors import InputError
from birdfield.journal.database import Journal
from birdfield.journal.entries import SessionEntry
from birdfield.journal.listing import visit_line
from birdfield.journal.opening import open_journal
from birdfield.journal.queries import Selection, visits_of
from birdfield.model.gallery import Gallery
from birdfield.model.sense import Sense
from birdfield.model.species import Species
from birdfield.settings.rules import LiveRules, Rules
from birdfield.watch.recogniser import Recogniser
from birdfield.watch.rescore import Rescored, check_models, rescore

ENCODER = BluePitch()


def changes(
    journal: Journal,
    gallery: Gallery,
    rules: Rules = Rules(),  # noqa: B008 - it is immutable
    renamed: Mapping[str, str] | None = None,
) -> list[Rescored]:
    """Score a journal again with a gallery, and return the visits that changed."""
    recogniser = Recogniser(ENCODER, gallery, "a1b2", LiveRules(rules))
    return list(rescore(journal, recogniser, renamed or {}))


def vector(degrees: float) -> bytes:
    return at(degrees).astype("<f4").tobytes()


def with_dunnock() -> Gallery:
    """Return the factory species, and a Dunnock at 30 degrees, between Jay and Robin."""
    known = factory()
    return replace(
        known,
        species=(*known.species, Species("Dunnock", "Prunella modularis")),
        vectors=np.concatenate([known.vectors, np.repeat(at(30)[None], 3, axis=0)]),
        owner=np.concatenate([known.owner, np.full(3, 3, np.int32)]),
        senses=np.concatenate([known.senses, np.arange(3, dtype=np.uint8)]),
        thresholds=np.full((4, 3), 0.5, np.float32),
    )


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Yield Robins at 60 and 35 degrees, a visit without a vector, and an undecided visit."""
    with closing(open_journal(tmp_path / "journal")) as opened:
        opened.start_session(SessionEntry("a1b2", DAWN))
        plain = replace(ROBIN, evidence=(), embeddings={})
        opened.add_visit(replace(plain, embeddings={Sense.IMAGE: vector(60)}), "a1b2")
        opened.add_visit(
            replace(plain, embeddings={Sense.IMAGE: vector(35), Sense.AUDIO: vector(35)}), "a1b2"
        )
        opened.add_visit(plain, "a1b2")
        opened.add_visit(
            replace(
                plain,
                species=None,
                candidates=(("Robin", 0.5), ("Jay", 0.5)),
                embeddings={Sense.IMAGE: vector(29)},
            ),
            "a1b2",
        )
        yield opened


def species(journal: Journal) -> list[tuple[str | None, str | None, str | None]]:
    return [
        tuple(row)
        for row in journal.database.execute(
            "SELECT species, scientific, first_species FROM visits ORDER BY id"
        )
    ]


def test_visits_get_the_species_of_the_present_store(journal: Journal) -> None:
    """The Robin at 35 degrees becomes a Dunnock, and so does the undecided visit at 29 degrees."""
    changed = changes(journal, with_dunnock())
    assert [(each.visit, each.before, each.after) for each in changed] == [
        (2, "Robin", "Dunnock"),
        (4, None, "Dunnock"),
    ]
    assert species(journal) == [
        ("Robin", "Erithacus rubecula", "Robin"),
        ("Dunnock", "Prunella modularis", "Robin"),
        ("Robin", "Erithacus rubecula", "Robin"),
        ("Dunnock", "Prunella modularis", None),
    ]
    row = journal.database.execute("SELECT score, candidates FROM visits WHERE id = 2").fetchone()
    assert row["score"] == pytest.approx(changed[0].score)
    assert json.loads(row["candidates"])[0][0] == "Dunnock"
    assert changes(journal, with_dunnock()) == []


def test_an_unchanged_store_changes_nothing(journal: Journal) -> None:
    """The visit at 29 degrees stays undecided, although its mean is nearest to the Jay."""
    before = species(journal)
    assert changes(journal, factory()) == []
    assert species(journal) == before


def test_an_uncertain_visit_keeps_its_species(journal: Journal) -> None:
    """At 120 + 65 degrees the cosine to the Wren is 0.42, below its threshold of 0.5."""
    journal.add_visit(
        replace(ROBIN, species="Wren", evidence=(), embeddings={Sense.IMAGE: vector(185)}), "a1b2"
    )
    assert changes(journal, factory()) == []


def test_an_uncertain_visit_gets_the_present_spelling_of_its_species(journal: Journal) -> None:
    """The visit is from before the model spelled its labels with hyphens and apostrophes."""
    old = replace(ROBIN, species="W-ren", evidence=(), embeddings={Sense.IMAGE: vector(185)})
    journal.add_visit(old, "a1b2")
    ((before, after),) = [(each.before, each.after) for each in changes(journal, factory())]
    assert (before, after) == ("W-ren", "Wren")


def test_the_visits_of_a_removed_species_go_to_the_next_species(journal: Journal) -> None:
    """Without the Robin, 60 degrees is nearest to the Jay: its cosine, 0.5, is 0.15 below 0.65."""
    known = factory()
    rows = known.owner != 1
    without = replace(
        known,
        species=(known.species[0], known.species[2]),
        vectors=known.vectors[rows],
        senses=known.senses[rows],
        owner=(known.owner[rows] // 2).astype(np.int32),
        thresholds=np.full((2, 3), 0.65, np.float32),
    )
    changed = changes(journal, without)
    assert [(each.visit, each.after) for each in changed] == [(1, None), (2, "Jay")]


def test_an_undecided_visit_has_a_species_only_while_that_is_enrolled(
    journal: Journal,
) -> None:
    """The visit becomes a Dunnock, and undecided again once the Dunnock is removed."""
    first = journal.database.execute("SELECT candidates FROM visits WHERE id = 4").fetchone()[0]
    assert len(changes(journal, with_dunnock())) == 2
    without = changes(journal, factory(), Rules(exclude=frozenset({"Jay"})))
    assert [(each.visit, each.before, each.after) for each in without] == [
        (2, "Dunnock", "Robin"),
        (4, "Dunnock", None),
    ]
    assert (
        journal.database.execute("SELECT candidates FROM visits WHERE id = 4").fetchone()[0]
        == first
    )
    assert [each.after for each in changes(journal, with_dunnock())] == [
        "Dunnock",
        "Dunnock",
    ]


def test_an_unknown_visit_is_listed_as_unknown(journal: Journal) -> None:
    """The Robin at 60 degrees is far from all species; the undecided visit stays undecided."""
    far = replace(factory(), vectors=np.repeat(at(240)[None], 9, axis=0))
    assert [(each.visit, each.first) for each in changes(journal, far)] == [
        (1, "Robin"),
        (2, "Robin"),
    ]
    lines = [visit_line(row) for row in visits_of(journal, Selection())]
    assert "  unknown (nearest: Jay)  0.33  " in lines[0]
    assert "  undecided: Robin or Jay  0.97  " in lines[3]


def test_the_visits_of_a_renamed_species_get_its_new_name(journal: Journal) -> None:
    """Uncertain visits keep their species, too: 62 and 70 degrees away the cosine is below 0.5.

    The undecided visit between Robin and Jay stays undecided.
    """
    journal.add_visit(replace(ROBIN, evidence=(), embeddings={Sense.IMAGE: vector(-2)}), "a1b2")
    journal.add_visit(replace(ROBIN, evidence=(), embeddings={Sense.IMAGE: vector(-10)}), "a1b2")
    known = factory()
    renamed = replace(
        known,
        species=(known.species[0], Species("Redbreast"), known.species[2]),
        vectors=np.where(known.owner[:, None] == 0, at(240), known.vectors),
    )
    changed = changes(journal, renamed, renamed={"Robin": "Redbreast"})
    assert [(each.visit, each.after) for each in changed] == [
        (visit, "Redbreast") for visit in (1, 2, 5, 6)
    ]


def test_an_answer_that_the_rules_exclude_changes_nothing(journal: Journal) -> None:
    """The lists, the species' threshold or its prior of that week exclude the Dunnock."""
    before = species(journal)

    def unexpected(_: int) -> NDArray[np.float64]:
        return np.log([1.0, 1.0, 1.0, 1e-9])

    for rules in (
        Rules(exclude=frozenset({"Dunnock"})),
        Rules(thresholds={"Dunnock": 1.0}),
        Rules(include=frozenset({"Robin"})),
        Rules(log_prior=unexpected),
    ):
        assert changes(journal, with_dunnock(), rules) == [], rules
    assert species(journal) == before


def test_a_dry_run_changes_nothing(journal: Journal) -> None:
    before = species(journal)
    recogniser = Recogniser(ENCODER, with_dunnock(), "a1b2")
    assert len(list(rescore(journal, recogniser, dry_run=True))) == 2
    assert species(journal) == before


def test_another_model_is_refused_with_both_ids(journal: Journal) -> None:
    with pytest.raises(
        InputError, match="holds vectors of model a1b2, but the bundle is model c3d4"
    ):
        check_models(journal, "c3d4")


def test_visits_of_another_model_are_listed_and_unchanged(journal: Journal) -> None:
    journal.add_visit(replace(ROBIN, evidence=(), embeddings={Sense.IMAGE: vector(35)}), "c3d4")
    assert check_models(journal, "c3d4") == [("a1b2", 3)]
    changed = list(rescore(journal, Recogniser(ENCODER, with_dunnock(), "c3d4")))
    assert [each.visit for each in changed] == [5]


def test_a_journal_without_vectors_is_an_error(tmp_path: Path) -> None:
    with (
        closing(open_journal(tmp_path)) as empty,
        pytest.raises(InputError, match="there is nothing to score again"),
    ):
        check_models(empty, "a1b2")


def test_a_damaged_vector_is_refused(journal: Journal) -> None:
    journal.database.execute("UPDATE embeddings SET vector = x'00' WHERE visit = 1")
    with pytest.raises(InputError, match="visit 1: its vector has 1 bytes; expected 512"):
        changes(journal, factory())


@pytest.mark.parametrize("damage", ["candidates = '[[\"Rob'", "started = '2026-05-01T04:3\x13'"])
def test_a_damaged_row_is_logged_and_unchanged(
    journal: Journal, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    journal.database.execute(f"UPDATE visits SET {damage} WHERE id = 2")
    changed = changes(journal, with_dunnock())
    assert [each.visit for each in changed] == [4]
    assert "visit 2 is damaged, and left alone" in caplog.text
