"""Scene: windows of a camera and a microphone, with a decision for each."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from birdfield.errors import UsageError
from birdfield.recognise.bird_gate import BirdGate
from birdfield.recognise.decide import Signal, decide
from birdfield.recognise.embed import NO_SAMPLE, embed_frame, embed_window
from birdfield.recognise.observation import Observation
from birdfield.signals.recording_time import RecordingTime, TimeSource
from birdfield.watch.overruns import BAD_FRAMES, BAD_SOUND, DROPPED, SOUND_OVERRUN, THROTTLED
from birdfield.watch.pace import WindowPacer
from birdfield.watch.recogniser import Recogniser
from birdfield.watch.scene_clock import FastClock, RealClock, SceneClock
from birdfield.watch.scene_reader import Reading, SceneReader
from birdfield.watch.scene_start import SceneStart, find_start
from birdfield.watch.sources import Sources, check_any_source
from birdfield.watch.wall_clock import slept_s
from birdfield.watch.window import Window, window_step_s

log = logging.getLogger(__name__)


class SceneWatcher:
    """Watches a camera and a microphone together. Not thread-safe, except `stop`.

    Attributes:
        quiet: The number of windows in which nothing moved and no bird was heard.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        sources: Sources,
        fast: bool = False,
        start: SceneStart | None = None,
    ) -> None:
        """Prepare to watch; nothing is read before `windows` or `observations`.

        Args:
            recogniser: The model and the rules for its answers.
            sources: The camera and the microphone; at least one of them.
            fast: Whether to process files as fast as possible.
            start: When the files were recorded; None to find it in the files.

        Raises:
            UsageError: When there is no source, or a live source is to be watched `fast`.
        """
        check_any_source(sources.camera is not None, sources.microphone is not None)
        if fast and sources.live:
            raise UsageError(
                "a live camera or microphone cannot be watched faster than time "
                "passes; watch it at real pace, or name files only"
            )
        self._recogniser, self._sources, self._fast = recogniser, sources, fast
        self._start = start or find_start(sources)
        # At real pace, an estimate of the time of recording is no better than the clock.
        self._timed = self._start is not None and (fast or self._start.source is not None)
        spec = recogniser.encoder.audio_spec
        self._window_s, self._step_s = spec.window_s, window_step_s(spec)
        # A window is complete when the later of the two sources has delivered it.
        latency_s = max(sources.camera_latency_s, sources.microphone_latency_s)
        self._complete_s = self._window_s + latency_s
        self._reader = SceneReader(sources, spec.rate_hz, recogniser.crop_margin)
        self._pacer = WindowPacer(self._step_s, self._complete_s, sources.live)
        self._stop = threading.Event()
        self.quiet = 0

    @property
    def began(self) -> datetime:
        """When the scene began: the time of its files, else now."""
        start = self._start
        return datetime.now(UTC) if start is None or not self._timed else start.time

    @property
    def dropped(self) -> int:
        """The number of windows left out because processing was late."""
        return self._pacer.dropped

    @property
    def throttled(self) -> int:
        """The number of windows left out because the machine was hot."""
        return self._pacer.throttled

    def stop(self) -> None:
        """End the scene; may be called from any thread or a signal handler."""
        self._stop.set()

    def observations(self) -> Iterator[Observation]:
        """Watch until all files have ended, or, with a live source, until `stop`.

        Yields:
            An observation for each window in which something moved or a bird was heard.
        """
        for window in self.windows():
            if window.observation is not None:
                yield window.observation

    def windows(self) -> Iterator[Window]:
        """Watch as `observations` does, and yield every window."""
        clock = self._clock()
        index = 0
        while not self._sources.ended:
            start_s = index * self._step_s
            clock.wait_until(start_s + self._complete_s)
            if self._stop.is_set():
                return
            yield replace(self._observe(clock, start_s), overruns=self._overruns())
            index = self._pacer.next_index(index, clock.now_s())
            if self._sources.camera is not None:
                self._sources.camera.throttled = self._pacer.reduced
        if self.quiet:
            log.info("nothing moved and no bird was heard in %d windows", self.quiet)

    def _clock(self) -> SceneClock:
        began = self._start.time if self._start and self._timed else None
        if self._fast and began is not None:
            return FastClock(began)
        return RealClock(self._stop, began)

    def _overruns(self) -> dict[str, int]:
        camera, microphone = self._sources.camera, self._sources.microphone
        return {
            SOUND_OVERRUN: microphone.overruns if microphone else 0,
            BAD_SOUND: microphone.defects if microphone else 0,
            BAD_FRAMES: camera.defects if camera else 0,
            DROPPED: self.dropped,
            THROTTLED: self.throttled,
        }

    def _observe(self, clock: SceneClock, start_s: float) -> Window:
        """Read, embed and decide the window that starts at a scene time."""
        end_s = start_s + self._window_s
        reading = self._reader.read(clock.origin_s, start_s, end_s)
        if reading.shot is None and reading.waveform is None:
            self.quiet += None in reading.faults.values()
            return Window(clock.utc(end_s), start_s, end_s, reading.faults, slept_s=slept_s())
        if self._sources.ended:
            end_s = min(end_s, self._sources.end_s)
        window = self._embed(Window(clock.utc(end_s), start_s, end_s, reading.faults), reading)
        if window.seen.image is None and window.heard.audio is None:
            self.quiet += 1
            return window
        return replace(window, observation=self._decide(window))

    def _embed(self, window: Window, reading: Reading) -> Window:
        """Return the window with what was read and its vectors."""
        encoder, shot, waveform = self._recogniser.encoder, reading.shot, reading.waveform
        return replace(
            window,
            frame=None if shot is None else shot.frame,
            box=None if shot is None else shot.box,
            waveform=waveform,
            seen=NO_SAMPLE if shot is None else embed_frame(encoder, shot.subject),
            heard=NO_SAMPLE
            if waveform is None
            else embed_window(
                encoder,
                waveform,
                window.start_s,
                window.end_s,
                BirdGate.DROP if shot is None else BirdGate.OFF,
            ),
            slept_s=slept_s(),
        )

    def _decide(self, window: Window) -> Observation:
        decision = decide(
            self._recogniser.encoder,
            self._recogniser.gallery_at(window.time),
            window.seen.image,
            window.heard.audio,
            Signal(window.seen.quality, window.heard.quality),
        )
        info = self._sources.info
        return Observation(
            window.time,
            window.start_s,
            window.end_s,
            self._recogniser.rules.current.apply(decision, window.time),
            info.camera,
            info.microphone,
            self._recorded(window),
        )

    def _recorded(self, window: Window) -> RecordingTime | None:
        if self._start is not None:
            return self._start.recorded(window.start_s)
        length = timedelta(seconds=window.end_s - window.start_s)
        return RecordingTime(window.time - length, TimeSource.CLOCK)
