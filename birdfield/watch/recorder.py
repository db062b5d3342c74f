"""The recorder: what a watched scene's windows leave in the journal."""

import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from birdfield.capture.latency import NO_LATENCY, Latency
from birdfield.errors import InputError
from birdfield.journal.clock import correct_times, last_offset_s, note_offset
from birdfield.journal.database import Journal, VisitEntry, boot_id
from birdfield.journal.media import (
    BestMedia,
    Sound,
    remove_evidence,
    remove_orphans,
    write_evidence,
)
from birdfield.journal.novelty import mark_next
from birdfield.journal.retention import Disk, Retention
from birdfield.model.encoder import Encoder, Vector
from birdfield.model.gallery import Gallery
from birdfield.model.sense import Sense
from birdfield.settings.rules import LiveRules
from birdfield.signals.audio import AudioSpec
from birdfield.watch.overruns import EventCoalescer
from birdfield.watch.scene import step_of
from birdfield.watch.speech_gate import SpeechGate
from birdfield.watch.visits import GAP_S, Claim, Visit, Visits, claims_of
from birdfield.watch.wall_clock import JUMP_S, WallClock, slept_s
from birdfield.watch.window import Window

CHECK_S = 60.0  # from one look at the disk to the next
MAX_WAITING = 1000  # visits and events that a full disk keeps waiting, each without evidence

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What a user chose of a journal.

    Attributes:
        gap_s: A visit ends when its species was not there for so long.
        keep_voices: Whether sound is kept although somebody speaks.
        retention: How much evidence is kept.
        latency: How late the sources are taken to be.
    """

    gap_s: float = GAP_S
    keep_voices: bool = False
    retention: Retention = Retention()
    latency: Latency = NO_LATENCY


def with_pre_roll(before: Window | None, window: Window, spec: AudioSpec, score: float) -> Sound:
    """Put what is new to a window's sound behind what the window before holds of the time before.

    Args:
        before: The window before, or None when its sound may not be kept.
        window: With a waveform.
        spec: Of the frontend.
        score: Of the window.
    """
    assert window.waveform is not None
    rate_hz = spec.rate_hz
    plain = Sound(
        window.waveform,
        rate_hz,
        score,
        window.start_s,
        window.start_s + len(window.waveform) / rate_hz,
    )
    if before is None or before.waveform is None or before.end_s <= window.start_s:
        return plain
    # Only of two whole windows is it known that they are of one piece.
    if min(len(before.waveform), len(window.waveform)) < spec.window:
        return plain
    pre_roll = before.waveform[: round((window.start_s - before.start_s) * rate_hz)]
    return replace(
        plain, waveform=np.concatenate([pre_roll, window.waveform]), start_s=before.start_s
    )


class Recorder:
    """Pools windows to visits and writes them with their evidence. Not thread-safe.

    Attributes:
        written: How many visits.
    """

    def __init__(
        self,
        journal: Journal,
        encoder: Encoder,
        gallery: Gallery,
        model: str,
        settings: Settings = Settings(),
        live: bool = True,
        clock_offset_s: Callable[[], float] = (lambda: time.time() - time.monotonic() - slept_s()),
        rules: LiveRules | None = None,
    ) -> None:
        """Take an open journal; `start` begins a session in it.

        Args:
            journal: Open for writing.
            encoder: The model.
            gallery: Its species.
            model: Its id.
            settings: What the user chose.
            live: Whether the scene's time is that of the clocks.
            clock_offset_s: Tells the wall clock's seconds less those since the machine started.
            rules: What is to be recorded; None for everything, always.
        """
        self._journal, self._encoder, self._gallery = journal, encoder, gallery
        self._model, self._settings = model, settings
        self._boot = boot_id() if live else None
        self._offset_s = clock_offset_s
        self._begun_offset_s = 0.0  # at the start of the session
        self._rules = rules or LiveRules()
        self._scientific = {entry.label: entry.scientific for entry in gallery.species}
        self._gate = SpeechGate(settings.keep_voices)
        self._visits = Visits(settings.gap_s, step_of(encoder.audio_spec))
        self._disk = Disk(journal, settings.retention)
        self._clock = WallClock()
        self._faults: dict[str, str | None] = {}
        self._stretches = EventCoalescer()
        self._before: Window | None = None  # the one before, if its sound may be kept
        self._latest: Window | None = None
        self._checked_s = 0.0
        self.written = 0
        self._refused = False  # by the journal, the last time
        self._visits_waiting: deque[VisitEntry] = deque(maxlen=MAX_WAITING)
        self._events_waiting: deque[tuple[datetime, str, str]] = deque(maxlen=MAX_WAITING)

    def start(self, now: datetime, camera: str | None, microphone: str | None) -> None:
        """Begin a session: tidy up after a kill, look at the clock and at the disk.

        Raises:
            InputError: When the journal cannot be written.
        """
        folder = self._journal.folder
        try:
            orphans = remove_orphans(folder, set(self._journal.evidence_paths()))
            missing = self._journal.mark_missing(now)
            self._check_disk(now)
            before_s = last_offset_s(self._journal, self._boot) if self._boot else None
            self._journal.start_session(
                self._model, camera, microphone, now, self._boot, self._settings.latency
            )
            self._note_clock()
            self._begun_offset_s = self._offset_s()
        except sqlite3.Error as error:
            raise InputError(
                f"{folder}: the journal cannot be written ({error}); free some space "
                "or choose another folder"
            ) from error
        if before_s is not None and abs(self._offset_s() - before_s) > JUMP_S:
            self._jumped(now, self._offset_s() - before_s)
        if self._journal.renewal:
            self._note(now, "journal repaired", self._journal.renewal)
        if orphans:
            self._note(now, "orphans deleted", f"{orphans} files that no visit names")
        if missing:
            self._note(now, "evidence missing", f"{missing} files that visits name")
        self._note(now, "started", f"model {self._model}")
        self._write_waiting()

    def take(self, window: Window) -> None:
        """Take the scene's next window."""
        if self._boot:
            if self._latest and window.slept_s - self._latest.slept_s > JUMP_S:
                self._finish()  # by the newest window before the sleep: its times are theirs
                self._before = None
            jump_s = self._clock.take(window.time, window.end_s + window.slept_s)
            if self._latest is None:  # a clock is often set while a machine starts
                jump_s = self._offset_s() - self._begun_offset_s
            if abs(jump_s) > JUMP_S:
                self._jumped(window.time, jump_s)
        self._latest = window
        self._note_faults(window)
        self._events_waiting += self._stretches.take(window.overruns, window.time, window.end_s)
        while self._rules.notes:
            self._note(window.time, *self._rules.notes.popleft())
        if window.end_s - self._checked_s >= CHECK_S:
            self._checked_s = window.end_s
            time.tzset()  # a new time zone holds for what comes
            self._check_disk(window.time)
            self._note_clock()
        for ready, may_keep in self._gate.push(window):
            self._pool(ready, may_keep)
        self._write_waiting()

    def close(self) -> None:
        """End the session: write the visits that are going on, and close the journal."""
        self._finish()
        if self._latest is not None:
            self._note(
                self._latest.time,
                "stopped",
                f"{self._gate.withheld} windows of sound were withheld for speech",
            )
        self._write_waiting()
        if self._visits_waiting:
            log.error(
                "%d visits were lost: the journal could not be written", len(self._visits_waiting)
            )
        self._journal.close()

    def _finish(self) -> None:
        """End what is going on, visits and stretches, with the newest window."""
        for ready, may_keep in self._gate.flush():
            self._pool(ready, may_keep)
        for visit in self._visits.close():
            self._write(visit)
        if self._latest is not None:
            self._events_waiting += self._stretches.close(self._latest.time, self._latest.end_s)

    def _pool(self, window: Window, may_keep: bool) -> None:
        for visit, claim in self._visits.take(window, self._claims(window), may_keep):
            self._keep(visit.kept, claim, window, may_keep)
        self._before = window if may_keep else None
        for visit in self._visits.ended(window.end_s):
            self._write(visit)

    def _claims(self, window: Window) -> list[Claim]:
        rules = self._rules.current
        if rules.quiet is not None and rules.quiet.contains(window.time):
            return []
        gallery = self._rules.weigh(self._gallery, window.time)
        return [
            claim
            for claim in claims_of(self._encoder, gallery, window)
            if rules.allow(claim.species, claim.score, window.time)
        ]

    def _keep(self, kept: BestMedia, claim: Claim, window: Window, may_keep: bool) -> None:
        if self._disk.paused:
            return
        if Sense.IMAGE in claim.senses and window.frame is not None:
            kept.offer_frame(
                window.frame,
                claim.score * window.seen.quality,
                window.box,
                window.start_s,
                window.end_s,
            )
        if Sense.AUDIO in claim.senses and window.waveform is not None and may_keep:
            kept.offer_sound(
                with_pre_roll(
                    self._before,
                    window,
                    self._encoder.audio_spec,
                    claim.score * window.heard.quality,
                )
            )

    def _write(self, visit: Visit) -> None:
        latest = self._latest
        assert latest is not None  # a visit is of windows
        entry = self._entry(visit, latest)
        if self._disk.short and not self._disk.paused:
            self._check_disk(latest.time)
        if not self._disk.paused:
            try:
                entry = replace(
                    entry,
                    evidence=write_evidence(
                        self._journal.folder, entry.started, entry.species, visit.kept
                    ),
                )
            except InputError as error:
                log.error("%s", error)
                self._note_disk(latest.time, self._disk.full())
        self._visits_waiting.append(entry)

    def _entry(self, visit: Visit, latest: Window) -> VisitEntry:
        def wall(scene_s: float) -> datetime:
            # By the newest window: right also for what began before the clock was set.
            return latest.time - timedelta(seconds=latest.end_s - scene_s)

        def stored(vector: Vector) -> bytes:
            return vector.astype("<f4").tobytes()

        senses = Sense.BOTH if len(visit.senses) > 1 else next(iter(visit.senses))
        return VisitEntry(
            visit.species,
            self._scientific.get(visit.species or ""),
            wall(visit.start_s),
            wall(visit.end_s),
            visit.start_s,
            visit.end_s,
            visit.score,
            senses,
            visit.agreement,
            visit.windows,
            visit.candidates,
            {sense: stored(vector) for sense, vector in visit.vectors.items()},
        )

    def _write_waiting(self) -> None:
        """Write what is waiting; what a full disk refuses waits on, without its evidence."""
        try:
            while self._visits_waiting:
                mark = mark_next(self._journal, self._visits_waiting[0].species)
                self._journal.add_visit(self._visits_waiting[0], self._model)
                entry = self._visits_waiting.popleft()
                self.written += 1
                log.info(
                    "visit: %s, %s to %s, %.2f by %s%s",
                    entry.species or "undecided",
                    f"{entry.started:%H:%M:%S}",
                    f"{entry.ended:%H:%M:%S}",
                    entry.score,
                    entry.senses,
                    f", {mark} here" if mark else "",
                )
            if self._events_waiting:
                self._journal.add_events(list(self._events_waiting))
                self._events_waiting.clear()
            self._refused = False
        except sqlite3.Error as error:
            self._complain(error)
            for index, entry in enumerate(self._visits_waiting):
                with suppress(OSError):  # the next start deletes what is left without a row
                    remove_evidence(self._journal.folder, (file.path for file in entry.evidence))
                self._visits_waiting[index] = replace(entry, evidence=())
            if self._latest is not None:
                self._note_disk(self._latest.time, self._disk.full())

    def _complain(self, error: Exception) -> None:
        """Log once that the journal cannot be written, until it can."""
        if not self._refused:
            log.error("the journal cannot be written (%s); visits wait in memory", error)
        self._refused = True

    def _note(self, now: datetime, kind: str, detail: str) -> None:
        self._events_waiting.append((now, kind, detail))

    def _note_disk(self, now: datetime, change: str | None) -> None:
        if change:
            self._note(now, change, str(self._journal.folder))

    def _check_disk(self, now: datetime) -> None:
        try:
            self._note_disk(now, self._disk.check(now))
        except (sqlite3.Error, OSError) as error:  # such as a card that has become read-only
            self._complain(error)

    def _note_clock(self) -> None:
        """Write down where the clocks stand, for a session to come in the same boot."""
        if not self._boot:
            return
        try:
            note_offset(self._journal, self._offset_s())
        except sqlite3.Error as error:
            self._complain(error)

    def _note_faults(self, window: Window) -> None:
        for name, fault in window.faults.items():
            before = self._faults.get(name)
            if fault != before:  # a loss may be noticed before its reason is known
                change = "back" if fault is None else "lost" if before is None else "still lost"
                self._note(window.time, f"{name} {change}", fault or "usable again")
        self._faults = dict(window.faults)

    def _jumped(self, now: datetime, jump_s: float) -> None:
        log.warning(
            "the clock jumped by %+.0f s; the times of this boot's visits are corrected", jump_s
        )
        assert self._boot is not None  # files have no clock that jumps
        moved = timedelta(seconds=jump_s)
        self._visits_waiting = deque(
            (
                replace(entry, started=entry.started + moved, ended=entry.ended + moved)
                for entry in self._visits_waiting
            ),
            MAX_WAITING,
        )
        self._events_waiting = deque(
            ((then + moved, kind, detail) for then, kind, detail in self._events_waiting),
            MAX_WAITING,
        )
        try:
            correct_times(self._journal, self._boot, jump_s)
            self._note_clock()
        except sqlite3.Error as error:
            log.error("the journal cannot be written (%s); times stay as they were", error)
        self._note(now, "clock jumped", f"{jump_s:+.1f} s")
