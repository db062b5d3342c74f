"""Live scene: latency, late and hot machines, and sources without sound or frames."""

import itertools
import math
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from frames import scenery
from network_cameras import mjpeg_camera
from toy_scene import COLOURS, song, toy_recogniser

from birdfield.capture.latency import Latency
from birdfield.capture.live_camera import LiveCamera
from birdfield.capture.microphone import open_microphone
from birdfield.capture.shot import Shot
from birdfield.errors import UsageError
from birdfield.model.audio_specs import YAMNET
from birdfield.model.sense import EACH_SENSE
from birdfield.signals.recording_time import TimeSource
from birdfield.watch.overruns import BAD_FRAMES, BAD_SOUND, DROPPED, SOUND_OVERRUN, THROTTLED
from birdfield.watch.scene import SceneWatcher
from birdfield.watch.sources import Sources


class LiveGarden:
    """A live camera whose frames are always new."""

    name, live, ended, end_s, throttled = "garden", True, False, math.inf, False
    defects = 0

    def __init__(self) -> None:
        self.asked: list[tuple[float, float]] = []
        self.loss: str | None = None
        self.blind = False

    def best_shot(self, start_s: float, end_s: float) -> Shot | None:
        self.asked.append((start_s, end_s))
        if self.blind:
            return None
        return Shot(scenery(len(self.asked), COLOURS["Jay"]), end_s - 0.1, 0.0)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


def test_fast_is_refused_for_a_live_source() -> None:
    with pytest.raises(UsageError, match="cannot be watched faster than time passes; watch it"):
        SceneWatcher(toy_recogniser(), Sources(LiveGarden(), None), fast=True)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Replace monotonic time: it advances by waiting, without delay, and by the test."""
    now_s = [1000.0]

    def wait(self: object, timeout: float) -> None:
        now_s[0] += timeout

    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    monkeypatch.setattr(threading.Event, "wait", wait)
    yield now_s


def test_a_window_has_the_sleep_of_the_machine(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    asleep_s = 0.0
    monkeypatch.setattr("time.clock_gettime", lambda _: clock[0] + asleep_s)
    windows = SceneWatcher(toy_recogniser(), Sources(LiveGarden(), None)).windows()
    slept = [next(windows).slept_s]
    asleep_s = 20_000.0
    slept += [window.slept_s for window in itertools.islice(windows, 2)]
    assert slept == [0, 20_000, 20_000]


@pytest.mark.parametrize("latency_s", [0.0, 2.0])
def test_a_late_live_scene_continues_with_its_newest_window(
    latency_s: float, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """Window 0 is complete at 5.295 s; when its decision is ready, at 12.795 s, window 3 is, too.

    Windows 1 and 2 are dropped. Window 3, [7.2, 12.495), is ready before window 4 is complete, at
    14.895 s. The latency of the camera delays all of this.
    """
    camera = LiveGarden()
    sources = Sources(camera, None, Latency(camera_s=latency_s))
    watcher = SceneWatcher(toy_recogniser(), sources)
    windows = watcher.observations()
    starts = [next(windows).start_s]
    clock[0] += 7.5
    starts += [entry.start_s for entry in itertools.islice(windows, 2)]
    assert starts == pytest.approx([0, 7.2, 9.6])
    assert watcher.dropped == 2
    assert clock[0] == pytest.approx(1000 + 9.6 + YAMNET.window_s + latency_s)
    asked = (1007.2 + latency_s, 1012.495 + latency_s)
    assert camera.asked[1] == pytest.approx(asked), "live sources follow time.monotonic()"
    assert caplog.messages == ["processing takes longer than 2.4 s a window; windows are dropped"]


class SilentMicrophone:
    """A live microphone that delivers no sound."""

    name, live, ended, end_s, loss = "air", True, False, math.inf, None
    overruns = defects = 0

    def __init__(self) -> None:
        self.asked: list[tuple[float, float]] = []

    def window(self, start_s: float, end_s: float) -> None:
        self.asked.append((start_s, end_s))

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


@pytest.mark.parametrize("latency", [Latency(1.5, 0.25), Latency(0.25, 1.5)])
def test_sources_of_different_latency_are_aligned(latency: Latency, clock: list[float]) -> None:
    """Window 0, [0, 5.295), is complete after the greater latency, 1.5 s."""
    camera, microphone = LiveGarden(), SilentMicrophone()
    windows = SceneWatcher(toy_recogniser(), Sources(camera, microphone, latency)).windows()
    began = datetime.now(UTC)
    window = next(windows)
    assert clock[0] == pytest.approx(1006.795)
    assert camera.asked == [pytest.approx((1000 + latency.camera_s, 1005.295 + latency.camera_s))]
    assert microphone.asked == [
        pytest.approx((1000 + latency.microphone_s, 1005.295 + latency.microphone_s))
    ]
    assert (window.start_s, window.end_s) == pytest.approx((0, 5.295))
    late = timedelta(seconds=1.5)
    assert began - late <= window.time <= datetime.now(UTC) - late
    assert window.observation is not None and window.observation.recorded is not None
    recorded = window.observation.recorded
    assert recorded.source is TimeSource.CLOCK
    assert window.time - recorded.start == pytest.approx(
        timedelta(seconds=5.295), abs=timedelta(microseconds=2)
    )


def test_a_window_counts_the_losses_so_far(clock: list[float]) -> None:
    """Two windows are dropped, and the sound system loses samples three times."""
    microphone = SilentMicrophone()
    windows = SceneWatcher(toy_recogniser(), Sources(None, microphone)).windows()
    overruns = [next(windows).overruns]
    clock[0] += 7.5
    microphone.overruns, microphone.defects = 3, 2
    overruns.append(next(windows).overruns)
    assert overruns == [
        {SOUND_OVERRUN: 0, BAD_SOUND: 0, BAD_FRAMES: 0, DROPPED: 0, THROTTLED: 0},
        {SOUND_OVERRUN: 3, BAD_SOUND: 2, BAD_FRAMES: 0, DROPPED: 2, THROTTLED: 0},
    ]


def test_a_hot_machine_throttles_every_second_window(
    clock: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine is hot after windows 0 and 2, so that 2 and 4 follow, and cool before 5."""
    monkeypatch.setattr("birdfield.watch.thermal.ZONES", tmp_path)
    (tmp_path / "thermal_zone0").mkdir()
    temperature = tmp_path / "thermal_zone0" / "temp"
    camera = LiveGarden()
    watcher = SceneWatcher(toy_recogniser(), Sources(camera, None))
    windows = watcher.observations()
    starts, throttled = [], []
    for text in ("80000", "80000", "50000", "50000"):
        starts.append(next(windows).start_s)
        throttled.append(camera.throttled)
        temperature.write_text(text)
    assert starts == pytest.approx([0, 4.8, 9.6, 12.0])
    assert throttled == [False, True, True, False]
    assert watcher.throttled == 2 and watcher.dropped == 0


def test_no_window_of_a_late_file_is_dropped(tmp_path: Path, clock: list[float]) -> None:
    microphone = open_microphone(song(tmp_path / "a.wav", 12), YAMNET.rate_hz)
    watcher = SceneWatcher(toy_recogniser(), Sources(None, microphone))
    starts = []
    for observation in watcher.observations():
        starts.append(observation.start_s)
        clock[0] += 20
    assert starts == pytest.approx([0, 2.4, 4.8, 7.2]) and watcher.dropped == 0


def test_stop_ends_the_scene_at_once() -> None:
    """It does not wait for the end of the first window, at 5.295 s."""
    watcher = SceneWatcher(toy_recogniser(), Sources(LiveGarden(), None))
    stopper = threading.Timer(0.2, watcher.stop)
    stopper.start()
    started_s = time.monotonic()
    assert list(watcher.observations()) == []
    stopper.join()
    assert time.monotonic() - started_s < YAMNET.window_s


def test_a_window_has_the_reason_for_a_missing_source(clock: list[float]) -> None:
    """The watchdog's reason is known two windows after the loss, and stays until frames return."""
    camera = LiveGarden()
    windows = SceneWatcher(toy_recogniser(), Sources(camera, None)).windows()
    faults = []
    for blind, loss in (
        (False, None),
        (True, None),
        (True, None),
        (True, "has hung for 20 s"),
        (True, None),
        (False, None),
    ):
        camera.blind, camera.loss = blind, loss
        faults.append(next(windows).faults["camera"])
    assert faults == [None, "no frame", "no frame", "has hung for 20 s", "has hung for 20 s", None]


@pytest.mark.slow
@pytest.mark.devices
def test_a_file_beside_a_network_camera_is_watched_at_real_pace(tmp_path: Path) -> None:
    """The sound ends after 6 s; the camera continues until the end of the test."""
    microphone = open_microphone(song(tmp_path / "a.wav", 6), YAMNET.rate_hz)
    with mjpeg_camera() as port:
        camera = LiveCamera(f"http://127.0.0.1:{port}/")
        watcher = SceneWatcher(toy_recogniser(), Sources(camera, microphone))
        try:
            started_s = time.monotonic()
            first, second = itertools.islice(watcher.observations(), 2)
            assert time.monotonic() - started_s > 2.4 + YAMNET.window_s - 0.01
        finally:
            camera.close()
    assert first.decision.senses == second.decision.senses == EACH_SENSE
    assert first.image_source == f"http://127.0.0.1:{port}/"
