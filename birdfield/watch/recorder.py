"""Recorder: groups windows into visits and writes them to a journal."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from birdfield.journal.database import Journal
from birdfield.journal.entries import VisitEntry
from birdfield.journal.media import BestMedia
from birdfield.journal.retention import Retention
from birdfield.model.encoder import Vector
from birdfield.model.sense import Sense
from birdfield.watch.claims import Claim, window_claims
from birdfield.watch.journal_writer import JournalWriter
from birdfield.watch.overruns import EventCoalescer
from birdfield.watch.pre_roll import with_pre_roll
from birdfield.watch.recogniser import Recogniser
from birdfield.watch.source_faults import FaultTracker
from birdfield.watch.sources import SourceInfo
from birdfield.watch.speech_gate import SpeechGate
from birdfield.watch.visits import GAP_S, Visit, VisitTracker
from birdfield.watch.wall_clock import ClockMonitor, boot_offset_s
from birdfield.watch.window import Window, window_step_s

CHECK_S = 60.0  # between checks of the disk, the time zone and the clock's offset


@dataclass(frozen=True)
class RecorderSettings:
    """The settings of a recorder.

    Attributes:
        gap_s: The absence of a species that ends its visit.
        keep_voices: Whether to keep sound in which somebody speaks.
        retention: The bounds of the evidence.
    """

    gap_s: float = GAP_S
    keep_voices: bool = False
    retention: Retention = Retention()


class Recorder:
    """Groups windows into visits and writes them with their evidence. Not thread-safe."""

    def __init__(
        self,
        journal: Journal,
        recogniser: Recogniser,
        sources: SourceInfo,
        settings: RecorderSettings = RecorderSettings(),
        clock_offset_s: Callable[[], float] = boot_offset_s,
    ) -> None:
        """Prepare to record; `start` begins a session in the journal.

        Args:
            journal: A journal that is open for writing; `close` closes it.
            recogniser: The model and the rules for what is recorded.
            sources: The sources of the scene.
            settings: The user's settings.
            clock_offset_s: A function that works as `boot_offset_s` does.
        """
        self._recogniser = recogniser
        self._scientific = {each.label: each.scientific for each in recogniser.gallery.species}
        self._writer = JournalWriter(journal, recogniser.model_id, sources, settings.retention)
        self._clock = ClockMonitor(clock_offset_s)
        self._speech_gate = SpeechGate(settings.keep_voices)
        self._visits = VisitTracker(settings.gap_s, window_step_s(recogniser.encoder.audio_spec))
        self._overruns = EventCoalescer()
        self._faults = FaultTracker()
        self._before: Window | None = None  # the window before, if its sound may be kept
        self._latest: Window | None = None
        self._now = datetime.now(UTC)  # of the latest window, once there is one
        self._checked_s = 0.0

    @property
    def written(self) -> int:
        """The number of visits that were written."""
        return self._writer.written

    def start(self, now: datetime) -> None:
        """Begin a session at a time of the wall clock.

        Raises:
            InputError: When the journal cannot be written.
        """
        self._now = now
        self._writer.start(now, self._clock.offset_s())
        self._clock.start()

    def add(self, window: Window) -> None:
        """Add the scene's next window, and write the visits that it ends."""
        if self._writer.follows_clock:
            self._follow_clock(window)
        self._latest, self._now = window, window.time
        self._add_events(window)
        if window.end_s - self._checked_s >= CHECK_S:
            self._checked_s = window.end_s
            time.tzset()  # a new time zone holds for the visits to come
            self._writer.check_disk(window.time)
            self._writer.store_offset(self._clock.offset_s())
        for ready, keep_sound in self._speech_gate.push(window):
            self._pool(ready, keep_sound)
        self._writer.write(window.time)

    def close(self) -> None:
        """End the session: write the visits in progress, and close the journal."""
        self._end_visits()
        if self._latest is not None:
            withheld = self._speech_gate.withheld
            self._writer.add_event(
                self._now, "stopped", f"{withheld} windows of sound were withheld for speech"
            )
        self._writer.close(self._now)

    def _follow_clock(self, window: Window) -> None:
        if self._clock.has_slept(window):
            self._end_visits()  # with the last window before the sleep, which has their times
            self._before = None
        jump_s = self._clock.jump_s(window)
        if jump_s:
            self._writer.correct_times(window.time, jump_s, self._clock.offset_s())

    def _add_events(self, window: Window) -> None:
        for change in self._faults.update(window.faults):
            self._writer.add_event(window.time, *change.event)
        self._writer.add_events(self._overruns.update(window.overruns, window.time, window.end_s))
        while self._recogniser.rules.notes:
            self._writer.add_event(window.time, *self._recogniser.rules.notes.popleft())

    def _end_visits(self) -> None:
        """End all visits and all series of losses with the latest window."""
        for ready, keep_sound in self._speech_gate.flush():
            self._pool(ready, keep_sound)
        for visit in self._visits.close():
            self._add_visit(visit)
        if self._latest is not None:
            self._writer.add_events(self._overruns.close(self._latest.time, self._latest.end_s))

    def _pool(self, window: Window, keep_sound: bool) -> None:
        for visit, claim in self._visits.add(window, self._claims(window), keep_sound):
            if not self._writer.paused:
                self._offer_media(visit.media, claim, window, keep_sound)
        self._before = window if keep_sound else None
        for visit in self._visits.ended(window.end_s):
            self._add_visit(visit)

    def _claims(self, window: Window) -> list[Claim]:
        """Return the claims of a window that the rules allow."""
        rules = self._recogniser.rules.current
        if rules.quiet is not None and rules.quiet.contains(window.time):
            return []
        gallery = self._recogniser.gallery_at(window.time)
        return [
            claim
            for claim in window_claims(self._recogniser.encoder, gallery, window)
            if rules.allow(claim.species, claim.score, window.time)
        ]

    def _offer_media(
        self, media: BestMedia, claim: Claim, window: Window, keep_sound: bool
    ) -> None:
        if Sense.IMAGE in claim.senses and window.frame is not None:
            score = claim.score * window.seen.quality
            media.offer_frame(window.frame, score, window.box, window.start_s, window.end_s)
        if Sense.AUDIO in claim.senses and window.waveform is not None and keep_sound:
            score = claim.score * window.heard.quality
            spec = self._recogniser.encoder.audio_spec
            media.offer_sound(with_pre_roll(self._before, window, spec, score))

    def _add_visit(self, visit: Visit) -> None:
        assert self._latest is not None  # a visit has windows
        entry = visit_entry(visit, self._scientific.get(visit.species or ""), self._latest)
        self._writer.add_visit(self._latest.time, entry, visit.media)


def visit_entry(visit: Visit, scientific: str | None, latest: Window) -> VisitEntry:
    """Return a visit as the journal stores it.

    Args:
        visit: A visit that has ended.
        scientific: The scientific name of its species, if the model has it.
        latest: The latest window, whose times place the visit: right also when the clock was set
            during the visit.
    """

    def wall(scene_s: float) -> datetime:
        return latest.time - timedelta(seconds=latest.end_s - scene_s)

    def stored(vector: Vector) -> bytes:
        return vector.astype("<f4").tobytes()

    return VisitEntry(
        visit.species,
        scientific,
        wall(visit.start_s),
        wall(visit.end_s),
        visit.start_s,
        visit.end_s,
        visit.score,
        Sense.BOTH if len(visit.senses) > 1 else next(iter(visit.senses)),
        visit.agreement,
        visit.windows,
        visit.candidates,
        {sense: stored(vector) for sense, vector in visit.vectors.items()},
    )
