"""The clock: corrected times, and the noted offset."""

from dataclasses import replace
from datetime import timedelta

from journal_rows import DAWN, ROBIN

from birdfield.journal.clock import correct_times, last_offset_s, note_offset
from birdfield.journal.database import Journal
from birdfield.journal.entries import SessionEntry
from birdfield.journal.queries import Selection, visits_of


def test_the_times_of_a_boot_are_corrected_and_can_be_restored(journal: Journal) -> None:
    journal.add_visit(ROBIN, "a1b2")
    journal.start_session(SessionEntry("a1b2", DAWN, boot="boot0"))
    journal.add_visit(replace(ROBIN, evidence=()), "a1b2")
    correct_times(journal, "boot1", 7200.0)
    ours, other = sorted(visits_of(journal, Selection()), key=lambda row: row.id)
    assert ours.started == DAWN + timedelta(hours=2)
    assert ours.clock_shift_s == 7200.0
    assert other.started == DAWN and other.clock_shift_s == 0
    correct_times(journal, "boot1", -7200.0)
    assert {row.started for row in visits_of(journal, Selection())} == {other.started}


def test_the_offset_of_the_clock_is_noted_by_boot(journal: Journal) -> None:
    assert last_offset_s(journal, "boot1") is None
    note_offset(journal, 1234.5)
    assert last_offset_s(journal, "boot1") == 1234.5 and last_offset_s(journal, "boot2") is None
