"""Queries: visits are selected, and damaged rows are left out."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from journal_rows import DAWN, ROBIN, Opener

from birdfield.errors import UsageError
from birdfield.journal.database import Journal
from birdfield.journal.opening import read_journal
from birdfield.journal.queries import Selection, parse_period, visits_of


def test_visits_are_selected(journal: Journal) -> None:
    for hour in range(4):
        journal.add_visit(
            replace(
                ROBIN,
                started=DAWN + timedelta(hours=hour),
                evidence=(),
                species=["Robin", None, "Žluna \u2605", "Robin"][hour],
            ),
            "a1b2",
        )

    def species(selection: Selection) -> list[str | None]:
        return [row.species for row in visits_of(journal, selection)]

    assert species(Selection()) == ["Robin", None, "Žluna \u2605", "Robin"]
    assert species(Selection("Robin")) == species(Selection("rObIn")) == ["Robin", "Robin"]
    for name in ("žluna \u2605", "ZLUNA\u2605"):
        assert species(Selection(name)) == ["Žluna \u2605"]
    for name in ("Erithacus rubecula", "erithacus-RUBECULA"):
        assert len(species(Selection(name))) == 3
    assert species(Selection("undecided")) == [None]
    assert species(Selection(since=DAWN + timedelta(hours=1), until=DAWN + timedelta(hours=3))) == [
        None,
        "Žluna \u2605",
    ]
    assert species(Selection(last=2)) == ["Žluna \u2605", "Robin"]


@pytest.mark.parametrize(
    "damage",
    [
        "candidates = '[[\"Rob'",
        "candidates = '{\"a\": 1}'",
        "started = '2026-05-01T04:3\x13'",
        "score = 'high'",
        "utc_offset_min = 999999",
        "senses = 7",
        "agreement = 'agre\x05'",
    ],
)
def test_a_damaged_row_is_left_out_and_logged(
    journal: Journal, opened: Opener, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One of three rows has a value that a worn card changed; SQLite's check does not see it."""
    for _ in range(3):
        journal.add_visit(replace(ROBIN, evidence=()), "a1b2")
    journal.database.execute(f"UPDATE visits SET {damage} WHERE id = 2")
    found = list(visits_of(opened(read_journal, journal.folder), Selection()))
    assert sorted(visit.id for visit in found) == [1, 3]
    assert "visit 2 is damaged, and left out" in caplog.text


def test_damaged_bytes_of_a_name_become_replacement_characters(
    journal: Journal, opened: Opener
) -> None:
    journal.add_visit(ROBIN, "a1b2")
    journal.database.execute("UPDATE visits SET species = CAST(x'ff6f62696e' AS TEXT)")
    (visit,) = visits_of(opened(read_journal, journal.folder), Selection())
    assert visit.species == "\N{REPLACEMENT CHARACTER}obin"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("today", datetime(2026, 5, 12).astimezone()),
        ("Yesterday", datetime(2026, 5, 11).astimezone()),
        ("7d", datetime(2026, 5, 5, 9, 30).astimezone()),
        ("12h", datetime(2026, 5, 11, 21, 30).astimezone()),
        ("2w", datetime(2026, 4, 28, 9, 30).astimezone()),
        ("2026-05-01", datetime(2026, 5, 1).astimezone()),
    ],
)
def test_a_period_may_be_a_day_or_an_age(text: str, expected: datetime) -> None:
    """It is 09:30 local time on 12 May; a day begins at midnight, an age is counted from now."""
    now = datetime(2026, 5, 12, 9, 30).astimezone()
    assert parse_period(text, "--since", now) == expected


def test_another_period_is_refused_with_examples() -> None:
    with pytest.raises(UsageError, match="--since is 'monday'.* or today, yesterday, 7d or 12h"):
        parse_period("monday", "--since")
    assert parse_period(None, "--since") is None
