"""History: the visits of a journal summed up, and as a table."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from history_rows import FIRST, GERMAN, JAY, add_garden, visit_on
from journal_rows import ROBIN

from birdfield.journal import history as history_module
from birdfield.journal.database import Journal
from birdfield.journal.history import History, gather_history
from birdfield.journal.history_table import columns, fit, to_text
from birdfield.journal.opening import open_journal
from birdfield.journal.records import UNDECIDED
from birdfield.model.names import Names
from birdfield.model.species import Species


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(open_journal(tmp_path / "garden")) as opened:
        add_garden(opened)
        yield opened


def test_visits_are_counted_by_species_hour_day_and_sense(journal: Journal) -> None:
    history = gather_history(journal, None, None)
    assert [row.label for row in history.species] == ["Jay", "Robin", UNDECIDED]
    jay, robin, _ = history.species
    assert (jay.hours[7], robin.hours[6], history.visits) == (2, 2, 5)
    assert [len(span) for span in history.spans()] == [1, 1, 1]
    assert [robin.days[span[0]] for span in history.spans()] == [1, 0, 1]
    assert history.senses() == {"both": 2, "audio": 2}, "an undecided visit counts in no sense"
    assert (robin.score, robin.last.started.day) == (0.8, 3)
    assert history.events["camera lost"][0] == 2


def test_a_species_that_is_written_during_the_reading_is_new(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Wren is written between the query for first visits and the query for visits."""

    def late(*arguments: object, **named: object) -> object:
        journal.add_visit(visit_on(replace(JAY, species="Wren"), 3, 7), "a1b2")
        return add_up(*arguments, **named)  # type: ignore[arg-type]

    add_up = history_module._tally
    monkeypatch.setattr(history_module, "_tally", late)
    history = gather_history(journal, None, None)
    assert [row.label for row in history.arrivals] == ["Robin", "Jay", "Wren"]


def test_a_species_with_an_earlier_visit_is_not_new(journal: Journal) -> None:
    """The first visit of the Robin is before the period, that of the Jay in it."""
    history = gather_history(journal, FIRST + timedelta(days=1), None)
    assert [row.label for row in history.arrivals] == ["Jay"]
    assert [row.label for row in gather_history(journal, None, None).arrivals] == ["Robin", "Jay"]
    assert gather_history(journal, None, FIRST).visits == 0


def test_a_long_history_is_shown_by_week(journal: Journal) -> None:
    """Friday, 1 May, to Friday, 5 June, is 6 calendar weeks; the first has three days."""
    june = visit_on(ROBIN, 0, 6)
    journal.add_visit(replace(june, started=june.started + timedelta(days=35)), "a1b2")
    spans = gather_history(journal, None, None).spans()
    assert [len(span) for span in spans] == [3, 7, 7, 7, 7, 5]


def test_a_table_for_a_terminal(journal: Journal) -> None:
    lines = to_text(gather_history(journal, None, None)).splitlines()
    assert lines[0].startswith("5 visits of 2 species, 2026-05-01 to 2026-05-03")
    assert lines[3].split() == ["Jay", "2", ".......2................", "0", "0", "2", "0.95"]
    assert lines[5].split() == [UNDECIDED, "1", ".........1.............."]
    assert lines[7:9] == ["New in this journal:", "  2026-05-01 06:30  Robin, heard, 0.80"]
    assert max(map(len, lines)) <= 80
    assert to_text(gather_history(journal, None, FIRST)) == "no visits"


@pytest.mark.parametrize(
    ("text", "fitted"),
    [
        ("Jay", "Jay   "),
        ("Nightingale", "Night…"),
        ("ホオジロ", "ホオ… "),
        ("aホオジロ", "aホオ…"),
        ("Z\u030cluna", "Z\u030cluna "),
        ("गुरु", "गुरु    "),
    ],
)
def test_names_of_any_script_fit_a_column(text: str, fitted: str) -> None:
    assert fit(text, 6) == fitted


def test_a_table_has_the_names_of_the_users_language(journal: Journal) -> None:
    """The scientific name of the Jay is in the journal, that of the Robin in the names."""
    lines = to_text(gather_history(journal, None, None), GERMAN).splitlines()
    assert lines[3].startswith("Eichelhäher  ") and lines[4].startswith("Rotkehlchen  ")
    assert lines[8:] == [
        "  2026-05-01 06:30  Rotkehlchen (Erithacus rubecula), heard, 0.80",
        "  2026-05-02 07:30  Eichelhäher (Garrulus glandarius), seen and heard, 0.95",
    ]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("カケス", "カケス (Garrulus glandarius)"),
        ("Fernöstlicher Eichelhäher", "Fernöstlicher Eichelhäher"),
        ("カケス" * 9, "カケス" * 6 + "…"),
    ],
)
def test_a_long_name_does_not_widen_a_table(journal: Journal, name: str, shown: str) -> None:
    """A line of 80 columns has 20 for the time, 22 for senses and score, and 38 for the name."""
    names = Names([Species("Jay", None, {"xx": name})], "xx")
    lines = to_text(gather_history(journal, None, None), names).splitlines()
    assert max(map(columns, lines)) <= 80
    assert [columns(line[: line.index("...")]) for line in lines[3:5]] == [32, 32]
    assert lines[-1] == f"  2026-05-02 07:30  {shown}, seen and heard, 0.95"


def test_an_empty_journal_has_an_empty_history(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path / "garden")) as opened:
        assert gather_history(opened, None, None) == History((), (), {}, None)
