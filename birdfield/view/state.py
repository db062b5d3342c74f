"""View state: what a terminal shows of a scene, kept up to date window by window."""

import logging
import os
import sqlite3
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from birdfield.journal.database import Journal
from birdfield.journal.queries import Selection, visits_of
from birdfield.model.names import LABELS_ONLY, Names
from birdfield.model.sense import Sense
from birdfield.recognise.decide import Decision
from birdfield.view.sound_meter import MeteredMicrophone
from birdfield.watch import thermal
from birdfield.watch.scene import SceneWatcher
from birdfield.watch.source_faults import Faults
from birdfield.watch.window import Window

MAX_RECENT = 50  # visits or answers
MAX_MESSAGES = 50  # lines of the log

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sighting:
    """A line of the list of birds: a visit of the journal, or an answer without a journal.

    Attributes:
        time: The start of the visit or the time of the answer, aware, local.
        species: The label; None when the visit is undecided.
        scientific: The scientific name, if the journal has it.
        senses: The senses that were used.
    """

    time: datetime
    species: str | None
    scientific: str | None
    senses: Sense


@dataclass(frozen=True)
class Health:
    """The condition of the station.

    Attributes:
        faults: Why each of the scene's sources is not usable; None if it is.
        windows: The number of windows that were processed.
        quiet: The number of these in which nothing moved and no bird was heard.
        dropped: The number of windows left out because processing was late.
        throttled: The number of windows left out because the machine was hot.
        celsius: The temperature of the machine; None where it is not known.
        memory_mb: The resident memory of this process; None where it is not known.
    """

    faults: Faults
    windows: int
    quiet: int
    dropped: int
    throttled: int
    celsius: float | None
    memory_mb: float | None


class View:
    """The state of a scene that is watched.

    One thread calls `windows` or `add`; another thread may read the attributes.

    Attributes:
        model: The name of the model.
        microphone: The microphone of the scene, or None.
        names: The names of the species.
        began_s: The start of the view, by the monotonic clock.
        time: The time of the newest window, aware.
        decision: The newest decision; None before the first.
        quiet_s: The scene time since the newest decision.
        answers: The number of decisions.
        recent: The newest visits of today, or the newest answers, the newest first.
        today: The number of visits of today, or of answers, by species; None is undecided.
        messages: The newest lines of the log.
    """

    def __init__(
        self,
        scene: SceneWatcher,
        model: str,
        microphone: MeteredMicrophone | None,
        journal: Journal | None,
        names: Names = LABELS_ONLY,
    ) -> None:
        """Prepare to follow a scene.

        Args:
            scene: The scene, before it is watched.
            model: The name of the model.
            microphone: The microphone of the scene, or None.
            journal: The journal of the scene, open for reading in the thread that calls `add`,
                or None.
            names: The names of the species.
        """
        self._scene, self.model, self.microphone, self._journal = scene, model, microphone, journal
        self.names = names
        self.began_s = time.monotonic()
        self.time = datetime.now(UTC)
        self.decision: Decision | None = None
        self.quiet_s = 0.0
        self.answers = 0
        self.recent: tuple[Sighting, ...] = ()
        self.today: Counter[str | None] = Counter()
        self.messages: deque[str] = deque(maxlen=MAX_MESSAGES)
        self._faults: Faults = {}
        self._windows = 0
        self._decided_s = 0.0
        self._journal_state: tuple[int, datetime] | None = None  # its version, and the day shown
        self._read_failed = False

    @property
    def has_journal(self) -> bool:
        """Whether `recent` and `today` are visits of a journal."""
        return self._journal is not None

    def windows(self) -> Iterator[Window]:
        """Watch the scene, and yield each window after it has been added."""
        for window in self._scene.windows():
            self.add(window)
            yield window

    def add(self, window: Window) -> None:
        """Add the next window."""
        self._windows += 1
        self.time, self._faults = window.time, window.faults
        if window.observation is not None:
            self._decided_s = window.end_s
            self._add_decision(window.time, window.observation.decision)
        self.quiet_s = window.end_s - self._decided_s
        if self._journal is not None:
            try:
                self._read(self._journal)
                self._read_failed = False
            except sqlite3.Error as error:  # such as on a worn card
                if not self._read_failed:
                    log.warning("the journal cannot be read (%s); the visits shown are old", error)
                self._read_failed = True

    def _add_decision(self, now: datetime, decision: Decision) -> None:
        before, self.decision = self.decision, decision
        self.answers += 1
        if self._journal is None and decision.species is not None:
            self.today[decision.species] += 1
            if before is None or before.species != decision.species:
                sense = Sense.BOTH if len(decision.senses) > 1 else decision.senses[0]
                new = Sighting(now.astimezone(), decision.species, None, sense)
                self.recent = (new, *self.recent)[:MAX_RECENT]

    def _read(self, journal: Journal) -> None:
        version = int(journal.database.execute("PRAGMA data_version").fetchone()[0])
        # Without an offset first, since summer time may have begun since midnight.
        midnight = (
            self.time.astimezone()
            .replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
            .astimezone()
        )
        if (version, midnight) == self._journal_state:
            return
        visits = list(visits_of(journal, Selection(since=midnight), marked=False))
        self.today = Counter(visit.species for visit in visits)
        self.recent = tuple(
            Sighting(visit.started, visit.species, visit.scientific, visit.senses)
            for visit in reversed(visits[-MAX_RECENT:])
        )
        self._journal_state = version, midnight

    def health(self) -> Health:
        """Return the present condition of the station."""
        scene = self._scene
        return Health(
            self._faults,
            self._windows,
            scene.quiet,
            scene.dropped,
            scene.throttled,
            thermal.read_celsius(thermal.ZONES),
            _memory_mb(),
        )


def _memory_mb() -> float | None:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
