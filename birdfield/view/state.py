"""What a person who watches a scene is shown: kept while its windows pass."""

import logging
import os
import sqlite3
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from birdfield.journal.database import Journal
from birdfield.journal.queries import Selection, visits_of
from birdfield.model.names import LABELS, Names
from birdfield.model.sense import Sense
from birdfield.recognise.decide import Decision
from birdfield.view.sound_meter import MeteredMicrophone
from birdfield.watch import thermal
from birdfield.watch.scene import SceneWatcher
from birdfield.watch.window import Window

RECENT = 50  # visits or answers that are listed, at most
MESSAGES = 50  # of the log that are kept

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sighting:
    """A line of the list of who came: a visit of the journal, or without one an answer.

    Attributes:
        time: When, aware, local.
        species: The label; None when the visit is undecided.
        scientific: Its scientific name, where the journal has it.
        senses: "image", "audio" or "both".
    """

    time: datetime
    species: str | None
    scientific: str | None
    senses: Sense


@dataclass(frozen=True)
class Health:
    """How the station does; None is not known.

    Attributes:
        faults: Why "camera" and "microphone" are of no use, None where one is; as far as there
            are such.
        skipped: Windows left out because processing was late.
        rested: Windows left out because the machine was hot.
        idle: Windows in which nothing moved and nothing was heard.
        windows: All that were looked at.
        celsius: Of the machine.
        memory_mb: Of this process.
    """

    faults: Mapping[str, str | None]
    skipped: int
    rested: int
    idle: int
    windows: int
    celsius: float | None
    memory_mb: float | None


class View:
    """A scene as it is watched; `take` belongs to one thread, all else is read from another."""

    def __init__(
        self,
        scene: SceneWatcher,
        model: str,
        microphone: MeteredMicrophone | None,
        journal: Journal | None,
        names: Names = LABELS,
    ) -> None:
        """Watch over a scene's windows.

        Args:
            scene: About to be watched.
            model: What to call its model.
            microphone: Its microphone, or None.
            journal: Of its visits, open for reading in the thread that calls `take`, or None.
            names: By which species are shown.
        """
        self._scene, self.model, self.microphone, self._journal = scene, model, microphone, journal
        self.names = names
        self.began_s = time.monotonic()
        self.time = datetime.now(UTC)
        self.scene_s = 0.0
        self.decision: Decision | None = None  # the newest
        self.idle_s = 0.0  # of the scene, since the newest
        self.answers = 0
        self.recent: tuple[Sighting, ...] = ()  # the newest first
        self.today: Counter[str | None] = Counter()  # by species; None is undecided
        self.messages: deque[str] = deque(maxlen=MESSAGES)
        self._faults: Mapping[str, str | None] = {}
        self._windows = 0
        self._decided_s = 0.0
        self._shown: tuple[int, datetime] | None = None  # the journal's version and day
        self._unread = False  # the journal, the last time

    @property
    def has_journal(self) -> bool:
        """Whether `recent` and `today` are visits."""
        return self._journal is not None

    def windows(self) -> Iterator[Window]:
        """Yield the scene's windows, each taken."""
        for window in self._scene.windows():
            self.take(window)
            yield window

    def take(self, window: Window) -> None:
        """Take the next window."""
        self._windows += 1
        self.time, self.scene_s, self._faults = window.time, window.end_s, window.faults
        if window.observation is not None:
            self._decided_s = window.end_s
            self._answer(window.time, window.observation.decision)
        self.idle_s = window.end_s - self._decided_s
        if self._journal is not None:
            try:
                self._read(self._journal)
                self._unread = False
            except sqlite3.Error as error:  # such as on a worn card
                if not self._unread:
                    log.warning("the journal cannot be read (%s); what is shown is old", error)
                self._unread = True

    def _answer(self, now: datetime, decision: Decision) -> None:
        before, self.decision = self.decision, decision
        self.answers += 1
        if self._journal is None and decision.species is not None:
            self.today[decision.species] += 1
            if before is None or before.species != decision.species:
                sense = Sense.BOTH if len(decision.senses) > 1 else decision.senses[0]
                new = Sighting(now.astimezone(), decision.species, None, sense)
                self.recent = (new, *self.recent)[:RECENT]

    def _read(self, journal: Journal) -> None:
        version = int(journal.database.execute("PRAGMA data_version").fetchone()[0])
        # Without an offset first: summer time may have begun since.
        midnight = (
            self.time.astimezone()
            .replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
            .astimezone()
        )
        if (version, midnight) == self._shown:  # nobody wrote since
            return
        visits = list(visits_of(journal, Selection(since=midnight), marked=False))
        self.today = Counter(visit["species"] for visit in visits)
        self.recent = tuple(
            Sighting(
                datetime.fromisoformat(visit["started"]),
                visit["species"],
                visit["scientific"],
                visit["senses"],
            )
            for visit in reversed(visits[-RECENT:])
        )
        self._shown = version, midnight

    def health(self) -> Health:
        """Look how the station does now."""
        scene = self._scene
        return Health(
            self._faults,
            scene.dropped,
            scene.throttled,
            scene.quiet,
            self._windows,
            thermal.read_celsius(thermal.ZONES),
            _memory_mb(),
        )


def _memory_mb() -> float | None:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
