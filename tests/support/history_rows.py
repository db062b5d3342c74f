"""A journal of three days in a garden, for histories."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from journal_rows import ROBIN

from birdfield.journal.database import Journal
from birdfield.journal.entries import EventEntry, SessionEntry, VisitEntry
from birdfield.journal.media import BestMedia, Sound, write_evidence
from birdfield.model.names import Names
from birdfield.model.sense import Sense
from birdfield.model.species import Species
from birdfield.recognise.decide import Agreement

FIRST = datetime(2026, 5, 1, 6, 30).astimezone()  # local time
JAY = replace(
    ROBIN,
    species="Jay",
    scientific="Garrulus glandarius",
    senses=Sense.BOTH,
    agreement=Agreement.AGREE,
    evidence=(),
)

GERMAN = Names(
    [
        Species("Jay", None, {"de": "Eichelhäher"}),
        Species("Robin", "Erithacus rubecula", {"de": "Rotkehlchen"}),
    ],
    "de",
)


def visit_on(entry: VisitEntry, days: int, hour: int, score: float = 0.8) -> VisitEntry:
    """Return a visit that starts at half past an hour, some days after 1 May."""
    started = datetime(2026, 5, 1 + days, hour, 30).astimezone()
    return replace(
        entry, started=started, ended=started + timedelta(seconds=9), score=score, evidence=()
    )


def with_media(journal: Journal, entry: VisitEntry) -> VisitEntry:
    """Add a picture, red at the bird and black elsewhere, and a sound to a visit."""
    frame = np.zeros((200, 400, 3), np.uint8)
    frame[50:90, 100:140] = (0, 0, 255)
    media = BestMedia()
    media.offer_frame(frame, 0.9, (100, 50, 40, 40), 0.0, 5.0)
    times_s = np.arange(32_000) / 16_000
    media.offer_sound(Sound(np.sin(9000 * times_s).astype(np.float32), 16_000, 0.9, 0.0, 2.0))
    return replace(
        entry, evidence=write_evidence(journal.folder, entry.started, entry.species, media)
    )


def add_garden(journal: Journal) -> None:
    """Add a Robin, heard on the first and the third day; on the second two Jays, one undecided."""
    journal.start_session(SessionEntry("a1b2", FIRST))
    heard = replace(ROBIN, senses=Sense.AUDIO, agreement=Agreement.SINGLE)
    for entry in (
        visit_on(heard, 0, 6),
        visit_on(heard, 2, 6, 0.7),
        with_media(journal, visit_on(JAY, 1, 7, 0.95)),
        visit_on(JAY, 1, 7),
        visit_on(replace(JAY, species=None, agreement=Agreement.DISAGREE), 1, 9),
    ):
        journal.add_visit(entry, "a1b2")
    journal.add_events(
        [
            EventEntry(FIRST, "camera lost", "dark"),
            EventEntry(FIRST + timedelta(hours=1), "camera lost", "dark"),
        ]
    )
