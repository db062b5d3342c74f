"""Journal rows: a visit as a recorder writes it, and the type of a fixture that opens journals."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from birdfield.journal.database import Journal
from birdfield.journal.entries import EvidenceFile, VisitEntry
from birdfield.model.sense import Sense
from birdfield.recognise.decide import Agreement

# Opens a folder's journal by open_journal or read_journal, and closes it after the test.
Opener = Callable[[Callable[[Path], Journal], Path], Journal]

DAWN = datetime(2026, 5, 1, 4, 30, tzinfo=UTC)
ROBIN = VisitEntry(
    "Robin",
    "Erithacus rubecula",
    DAWN,
    DAWN + timedelta(seconds=12),
    3.0,
    15.0,
    0.97,
    Sense.BOTH,
    Agreement.AGREE,
    4,
    (("Robin", 0.9), ("Jay", 0.1)),
    {Sense.IMAGE: bytes(512), Sense.AUDIO: bytes(512)},
    (EvidenceFile("picture", "evidence/a.jpg", 9, 0.9, 3.0, 8.3, (1, 2, 30, 40)),),
)
