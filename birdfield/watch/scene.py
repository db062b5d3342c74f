"""Watching a scene: window after window of sight and sound, and a decision for each."""

import logging
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from birdfield.capture.camera import Camera
from birdfield.capture.latency import NO_LATENCY, Latency
from birdfield.capture.microphone import Microphone
from birdfield.capture.shot import Shot
from birdfield.capture.source import Source
from birdfield.errors import UsageError
from birdfield.model.encoder import Encoder
from birdfield.model.gallery import Gallery
from birdfield.recognise.decide import decide
from birdfield.recognise.embed import NO_SAMPLE, hear, see
from birdfield.recognise.observation import Observation
from birdfield.settings.rules import LiveRules
from birdfield.signals.audio import AudioSpec, Waveform
from birdfield.signals.boxes import square_around
from birdfield.signals.loudness_gate import LoudnessGate
from birdfield.signals.usability import frame_fault, window_fault
from birdfield.watch.overruns import HOT, LATE, SOUND
from birdfield.watch.thermal import Heat
from birdfield.watch.wall_clock import slept_s
from birdfield.watch.window import Window

DECISION_S = 2.4  # about that long from one decision to the next, in whole hops: five of YAMNet

ALONE = {"camera": "deciding by sound alone", "microphone": "deciding by sight alone"}

log = logging.getLogger(__name__)


def step_of(spec: AudioSpec) -> float:
    """Return the seconds from one window to the next: about DECISION_S.

    They are whole hops, so that a window's patches are those of the one before, moved on.
    """
    return round(DECISION_S * spec.rate_hz / spec.hop) * spec.hop / spec.rate_hz


class RealClock:
    """Scene time at real pace: it starts when it is made."""

    def __init__(self, stop: threading.Event) -> None:
        """Start at 0 s; setting stop ends every wait."""
        self._stop = stop
        self.origin_s = time.monotonic()

    def now_s(self) -> float:
        """Return the scene's time."""
        return time.monotonic() - self.origin_s

    def wait_until(self, scene_s: float) -> None:
        """Sleep until then, or until stopped."""
        self._stop.wait(max(scene_s - self.now_s(), 0.0))

    def utc(self, scene_s: float) -> datetime:
        """Return the wall clock's time then; right also after the wall clock was set."""
        return datetime.now(UTC) - timedelta(seconds=self.now_s() - scene_s)


class FastClock:
    """Scene time that is there as soon as it is waited for."""

    origin_s = 0.0

    def __init__(self) -> None:
        """Start at 0 s."""
        self._started = datetime.now(UTC)
        self._now_s = 0.0

    def now_s(self) -> float:
        """Return the scene's time."""
        return self._now_s

    def wait_until(self, scene_s: float) -> None:
        """Be there."""
        self._now_s = scene_s

    def utc(self, scene_s: float) -> datetime:
        """Return when it would have been at real pace."""
        return self._started + timedelta(seconds=scene_s)


class SenseLog:
    """Logs a sense that becomes usable or stops being so, once per change.

    Attributes:
        faults: What was the fault of each, the last time; None is usable.
    """

    def __init__(self) -> None:
        """Take all senses for usable."""
        self.faults: dict[str, str | None] = {}

    def update(self, faults: dict[str, str | None]) -> None:
        """Take the fault of each sense that the scene has; None is usable."""
        usable = [name for name, fault in faults.items() if fault is None]
        for name, fault in faults.items():
            if fault == self.faults.get(name):
                continue
            if fault is None:
                log.info("%s is usable again", name)
            else:
                log.warning("%s: %s; %s", name, fault, ALONE[name] if usable else "no decision")
        self.faults = faults


class Watch:
    """A camera and a microphone, watched together. Not thread-safe, except stop()."""

    def __init__(
        self,
        encoder: Encoder,
        gallery: Gallery,
        camera: Camera | None,
        microphone: Microphone | None,
        fast: bool = False,
        rules: LiveRules | None = None,
        latency: Latency = NO_LATENCY,
        crop_margin: float = 1.0,
    ) -> None:
        """Take the sources; nothing is read before `observations`.

        Args:
            encoder: The model.
            gallery: Its species.
            camera: Where frames come from, or None.
            microphone: Where sound comes from, or None; not both None.
            fast: Whether to go through files as fast as they can be processed.
            rules: What is to be answered; None for everything.
            latency: How late the sources are, as far as they are live.
            crop_margin: Sides of what is cut out for the image tower by the sides of what moved.

        Raises:
            UsageError: When there is no source, or `fast` is asked of a live one.
        """
        sources: list[Source] = [source for source in (camera, microphone) if source is not None]
        if not sources:
            raise UsageError("there is neither a camera nor a microphone; name one of them")
        self._live = any(source.live for source in sources)
        if fast and self._live:
            raise UsageError(
                "a live camera or microphone cannot be watched faster than time "
                "passes; leave out --fast or name files only"
            )
        self._encoder, self._gallery = encoder, gallery
        self._rules = rules or LiveRules()
        spec = encoder.audio_spec
        self._window_s = spec.window_s
        self._step_s = step_of(spec)
        self._camera, self._microphone = camera, microphone
        self._crop_margin = crop_margin
        self._camera_late_s = latency.camera_s if camera and camera.live else 0.0
        self._microphone_late_s = latency.microphone_s if microphone and microphone.live else 0.0
        self._late_s = max(self._camera_late_s, self._microphone_late_s)  # until a window is there
        self._sources = sources
        self._fast = fast
        self._stop = threading.Event()
        self._log = SenseLog()
        self._loudness = LoudnessGate(encoder.audio_spec.rate_hz)
        self._heat = Heat()
        self.skipped = 0  # windows that were left out because processing was late
        self.rested = 0  # windows that were left out because the machine was hot
        self.idle = 0  # windows in which nothing moved and nothing was heard

    def stop(self) -> None:
        """End the scene; may be called from any thread or a signal handler."""
        self._stop.set()

    def observations(self) -> Iterator[Observation]:
        """Watch until all files are over, or for ever when a source is live.

        Yields:
            An observation for each window in which something moved or a bird was heard.
        """
        for window in self.windows():
            if window.observation is not None:
                yield window.observation

    def windows(self) -> Iterator[Window]:
        """Watch as `observations` does; yields each window, with what was seen and heard in it."""
        clock = FastClock() if self._fast else RealClock(self._stop)
        index = 0
        while not all(source.ended for source in self._sources):
            start_s = index * self._step_s
            clock.wait_until(start_s + self._window_s + self._late_s)
            if self._stop.is_set():
                return
            yield replace(self._observe(clock, start_s), overruns=self._overruns())
            index = self._next_index(index, clock.now_s())
        if self.idle:
            log.info("nothing moved and no bird was heard in %d windows", self.idle)

    def _overruns(self) -> dict[str, int]:
        dropped = self._microphone.overruns if self._microphone else 0
        return {SOUND: dropped, LATE: self.skipped, HOT: self.rested}

    def _next_index(self, index: int, now_s: float) -> int:
        """Return the next window, which is the newest complete one when a live scene is late."""
        newest = math.floor((now_s - self._late_s - self._window_s) / self._step_s)
        late = max(newest - (index + 1), 0) if self._live else 0
        if late and not self.skipped:
            log.warning(
                "processing takes longer than %g s a window; windows are skipped", self._step_s
            )
        self.skipped += late
        hot = self._live and self._heat.update()
        if self._camera is not None:
            self._camera.throttled = hot or late > 0
        rest = int(hot and not late)
        self.rested += rest
        return index + 1 + late + rest

    def _observe(self, clock: RealClock | FastClock, start_s: float) -> Window:
        end_s = start_s + self._window_s
        shot, frame_trouble = self._look(clock.origin_s, start_s, end_s)
        waveform, sound_trouble = self._listen(clock.origin_s, start_s, end_s)
        faults: dict[str, str | None] = {}
        if self._camera is not None:
            faults["camera"] = frame_trouble
        if self._microphone is not None:
            faults["microphone"] = sound_trouble
        self._log.update(faults)
        if shot is None and waveform is None:
            self.idle += None in faults.values()
            return Window(clock.utc(end_s), start_s, end_s, faults, slept_s=slept_s())
        if all(source.ended for source in self._sources):
            end_s = min(end_s, max(source.end_s for source in self._sources))
        seen = NO_SAMPLE if shot is None else see(self._encoder, shot.subject)
        heard = (
            NO_SAMPLE
            if waveform is None
            else hear(self._encoder, waveform, start_s, end_s, alone=shot is None, birds_only=True)
        )
        window = Window(
            clock.utc(end_s),
            start_s,
            end_s,
            faults,
            waveform=waveform,
            seen=seen,
            heard=heard,
            slept_s=slept_s(),
        )
        if shot is not None:
            window = replace(window, frame=shot.frame, box=shot.box)
        if seen.image is None and heard.audio is None:
            self.idle += 1
            return window
        decision = decide(
            self._encoder,
            self._rules.weigh(self._gallery, window.time),
            seen.image,
            heard.audio,
            seen.quality,
            heard.quality,
        )
        decision = self._rules.current.judge(decision, window.time)
        return replace(
            window,
            observation=Observation(
                window.time,
                start_s,
                end_s,
                decision,
                self._camera.name if self._camera else None,
                self._microphone.name if self._microphone else None,
            ),
        )

    def _look(
        self, origin_s: float, start_s: float, end_s: float
    ) -> tuple[Shot | None, str | None]:
        """Return the shot of what moved in the window; None when nothing did, or with a fault."""
        if self._camera is None:
            return None, None
        shift_s = origin_s + self._camera_late_s if self._camera.live else 0.0
        shot = self._camera.best_shot(start_s + shift_s, end_s + shift_s)
        if shot is None:
            return None, self._absence("camera", self._camera, "no frame")
        fault = frame_fault(shot.frame, shot.unchanged_s)
        if fault:
            return None, self._camera.loss or fault
        if shot.still:
            return None, None
        return (
            replace(shot, box=square_around(shot.box, shot.frame.shape, self._crop_margin))
            if shot.box
            else shot
        ), None

    def _listen(
        self, origin_s: float, start_s: float, end_s: float
    ) -> tuple[Waveform | None, str | None]:
        """Return what stood out in the window, None when nothing did, or why that is not known."""
        if self._microphone is None:
            return None, None
        shift_s = origin_s + self._microphone_late_s if self._microphone.live else 0.0
        waveform = self._microphone.window(start_s + shift_s, end_s + shift_s)
        if waveform is None:
            return None, self._absence("microphone", self._microphone, "no sound")
        fault = window_fault(waveform)
        if fault:
            return None, self._microphone.loss or fault
        return (waveform if self._loudness.stands_out(waveform, start_s) else None), None

    def _absence(self, name: str, source: Source, plain: str) -> str:
        """Tell why a source gave nothing: as its watchdog knows, else as was told before."""
        return "ended" if source.ended else source.loss or self._log.faults.get(name) or plain
