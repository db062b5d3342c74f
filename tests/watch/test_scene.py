import itertools
import logging
import math
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
from devices import mjpeg_camera, scenery
from toy_scene import COLOURS, FPS, SONGS_HZ, ColourAndPitch, film, gallery, song

from birdfield.capture.camera import open_camera
from birdfield.capture.latency import Latency
from birdfield.capture.live_camera import LiveCamera
from birdfield.capture.microphone import open_microphone
from birdfield.capture.shot import Shot
from birdfield.errors import UsageError
from birdfield.model.audio_specs import YAMNET
from birdfield.model.frontend import Heard
from birdfield.model.sense import EACH_SENSE, Sense
from birdfield.model.yamnet import CLASSES
from birdfield.recognise.decide import Decision
from birdfield.recognise.observation import Observation, to_json
from birdfield.watch.overruns import HOT, LATE, SOUND
from birdfield.watch.scene import DECISION_S, Watch


def garden_film(path: Path, length_s: float, bird: tuple[float, float] = (0, 0)) -> str:
    """Write a video of a still garden, 320 x 240, in which a bird sits for a time."""
    rng = np.random.default_rng(0)
    garden = cv2.resize(scenery(0), (320, 240))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (320, 240))
    for index in range(round(length_s * FPS)):
        frame = garden + rng.normal(0, 3, garden.shape)
        if bird[0] <= index / FPS < bird[1]:
            cv2.circle(frame, (200, 100), 16, COLOURS["Robin"], -1)
        writer.write(np.clip(frame, 0, 255).astype(np.uint8))
    writer.release()
    return str(path)


def observe(image: str, audio: str, fast: bool = True) -> list[Observation]:
    camera, microphone = open_camera(image), open_microphone(audio, YAMNET.rate_hz)
    try:
        watch = Watch(ColourAndPitch(), gallery(), camera, microphone, fast)
        return list(watch.observations())
    finally:
        for source in (camera, microphone):
            if source is not None:
                source.close()


def senses(observations: list[Observation]) -> dict[int, tuple[str, ...]]:
    """Return what each window, by its number, was decided from."""
    assert all(entry.start_s is not None for entry in observations)
    return {
        round((entry.start_s or 0) / DECISION_S): entry.decision.senses for entry in observations
    }


BOTH, SEEN, HEARD = EACH_SENSE, (Sense.IMAGE,), (Sense.AUDIO,)


def test_a_scene_of_two_files_is_decided_every_window(tmp_path: Path) -> None:
    """12 s: windows at 0, 2.4, 4.8 and 7.2 s; the last would end at 12.495 s, the files before."""
    image, audio = film(tmp_path / "a.avi", 12), song(tmp_path / "a.wav", 12)
    began = datetime.now(UTC)
    observations = observe(image, audio)
    assert [(entry.start_s, entry.end_s) for entry in observations] == [
        pytest.approx((0, 5.295)),
        pytest.approx((2.4, 7.695)),
        pytest.approx((4.8, 10.095)),
        pytest.approx((7.2, 12.0)),
    ]
    assert set(senses(observations).values()) == {BOTH}
    assert {entry.decision.species for entry in observations} == {"Robin"}
    assert {(entry.image_source, entry.audio_source) for entry in observations} == {(image, audio)}
    assert observations[1].time - observations[0].time == timedelta(seconds=2.4)
    assert observations[0].time.tzinfo is UTC
    assert began < observations[0].time - timedelta(seconds=5.295) < datetime.now(UTC)


def test_a_bird_seen_and_another_heard_are_one_joint_decision(tmp_path: Path) -> None:
    """The mean of two orthogonal vectors has a cosine of 1/sqrt(2) with each: no margin."""
    observations = observe(film(tmp_path / "a.avi", 6), song(tmp_path / "a.wav", 6, "Jay"))
    assert observations[0].decision.similarity == pytest.approx(math.sqrt(0.5), abs=1e-5)
    assert observations[0].decision.margin == pytest.approx(0, abs=1e-5)


def test_a_covered_camera_and_a_muted_microphone_are_left_out_meanwhile(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Windows end at 5.3, 7.7, 10.1, 12.5, 14.9, 17.3, 19.7 and, the last, at 20 s.

    The newest frame is dark from 4 to 9 s: in windows 0 and 1. The sound from 7 to 14.9 s is
    muted: window 3 is [7.2, 12.495) and window 4 [9.6, 14.895); in 2 and 5 some is heard.
    """
    caplog.set_level(logging.INFO)
    observations = observe(
        film(tmp_path / "a.avi", 20, covered=(4, 9)), song(tmp_path / "a.wav", 20, muted=(7, 14.9))
    )
    assert senses(observations) == {
        0: HEARD,
        1: HEARD,
        2: BOTH,
        3: SEEN,
        4: SEEN,
        5: BOTH,
        6: BOTH,
        7: BOTH,
    }
    assert {entry.decision.species for entry in observations} == {"Robin"}
    assert caplog.messages == [
        "camera: dark; deciding by sound alone",
        "camera is usable again",
        "microphone: silent; deciding by sight alone",
        "microphone is usable again",
    ]


def test_a_camera_that_hangs_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The picture stands still from 2 to 8 s: for 3.2 s at 5.2 s, for 5.6 s at 7.6 s."""
    observations = observe(
        film(tmp_path / "a.avi", 12, frozen=(2, 8)), song(tmp_path / "a.wav", 12)
    )
    assert senses(observations) == {0: HEARD, 1: HEARD, 2: BOTH, 3: BOTH}
    assert caplog.messages[0] == "camera: frozen; deciding by sound alone"


def test_without_a_usable_sense_there_is_no_decision(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    observations = observe(
        film(tmp_path / "a.avi", 12, covered=(0, 9)), song(tmp_path / "a.wav", 12, muted=(0, 7.7))
    )
    assert senses(observations) == {2: BOTH, 3: BOTH}
    assert caplog.messages == [
        "camera: dark; no decision",
        "microphone: silent; no decision",
        "camera is usable again",
        "microphone is usable again",
    ]


def test_a_frame_is_joined_only_with_the_sound_of_its_own_window(tmp_path: Path) -> None:
    """The last frame, at 2.9 s, lies within windows 0 and 1 but not within [4.8, 10.095)."""
    observations = observe(film(tmp_path / "a.avi", 3), song(tmp_path / "a.wav", 12))
    assert senses(observations) == {0: BOTH, 1: BOTH, 2: HEARD, 3: HEARD}


def test_sound_that_ends_first_leaves_the_camera(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """6 s of sound: window 1 has 3.6 s of it, window 2 1.2 s, window 3 none."""
    observations = observe(film(tmp_path / "a.avi", 12), song(tmp_path / "a.wav", 6))
    assert senses(observations) == {0: BOTH, 1: BOTH, 2: BOTH, 3: SEEN}
    assert caplog.messages == ["microphone: ended; deciding by sight alone"]


@pytest.mark.parametrize(("length_s", "windows"), [(0.9, 0), (1.1, 1), (5.295, 1), (5.4, 2)])
def test_one_second_of_sound_is_enough_for_a_window(
    tmp_path: Path, length_s: float, windows: int
) -> None:
    observations = observe("none", song(tmp_path / "a.wav", length_s))
    assert len(observations) == windows
    assert all(entry.end_s == pytest.approx(length_s) for entry in observations[-1:])


def test_a_sense_alone_is_watched(tmp_path: Path) -> None:
    seen = observe(film(tmp_path / "a.avi", 6, "Jay"), "none")
    heard = observe("none", song(tmp_path / "a.wav", 6, "Jay"))
    assert senses(seen) == {0: SEEN, 1: SEEN} and senses(heard) == {0: HEARD, 1: HEARD}
    assert {entry.decision.species for entry in seen + heard} == {"Jay"}
    assert seen[0].audio_source is None and heard[0].image_source is None


@pytest.mark.slow
def test_fast_and_real_pace_decide_the_same(tmp_path: Path) -> None:
    """The windows of 6 s end at 5.295 and 7.695 s: so long it takes at real pace, and no shorter.

    How much longer, and how quick the other way is, is up to the machine.
    """
    image = film(tmp_path / "a.avi", 6, covered=(5, 5.5))
    audio = song(tmp_path / "a.wav", 6, "Jay", muted=(0, 2.4))
    fast = observe(image, audio)
    began, began_s = datetime.now(UTC), time.monotonic()
    real = observe(image, audio, fast=False)
    assert time.monotonic() - began_s > 7.69
    assert [(entry.start_s, entry.end_s, entry.decision) for entry in real] == [
        (entry.start_s, entry.end_s, entry.decision) for entry in fast
    ]
    ends, waited = timedelta(seconds=5.29), timedelta(seconds=2.39)
    assert began + ends < real[0].time < datetime.now(UTC) - waited


class Attentive(ColourAndPitch):
    """Remembers what it was shown and made to hear."""

    def __init__(self) -> None:
        self.shown: list[tuple[int, ...]] = []
        self.heard = 0

    def image_vector(self, image: np.ndarray) -> np.ndarray:
        self.shown.append(image.shape)
        return super().image_vector(image)

    def audio_vector(self, frames: np.ndarray) -> np.ndarray:
        self.heard += 1
        return super().audio_vector(frames)


def test_a_still_scene_is_looked_at_once_and_a_bird_as_long_as_it_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The bird of 32 px is there from 9 to 14 s; windows start at 0, 2.4 ... 16.8 s.

    The last look at it is at 13.5 s, in window 5, [12, 17.295); the first is in 2, [4.8, 10.095).
    """
    caplog.set_level(logging.INFO)
    camera = open_camera(garden_film(tmp_path / "a.avi", 22, bird=(9, 14)))
    encoder = Attentive()
    watch = Watch(encoder, gallery(), camera, None, fast=True)
    observations = list(watch.observations())
    assert senses(observations) == {0: SEEN, 2: SEEN, 3: SEEN, 4: SEEN, 5: SEEN}
    assert encoder.shown[0] == (240, 320, 3), "all of a new scene"
    assert all(48 <= side <= 80 for shape in encoder.shown[1:] for side in shape[:2])
    assert watch.idle == 3
    assert caplog.messages == ["nothing moved and no bird was heard in 3 windows"]


def test_a_sound_that_does_not_stand_out_is_not_heard(tmp_path: Path) -> None:
    """A hum of -60 dB is known after some 30 s; a song comes at 60 s, in 22, [52.8, 58.1), not yet.

    Window 23 is [55.2, 60.495), and 25 ends with the file at 65 s.
    """
    hum = np.random.default_rng(0).normal(0, 0.001, 65 * 16_000)
    seconds = np.arange(len(hum)) / 16_000
    hum += 0.1 * np.sin(2 * np.pi * SONGS_HZ["Robin"] * seconds) * (seconds >= 60)
    soundfile.write(tmp_path / "a.wav", hum, 16_000)
    encoder = Attentive()
    watch = Watch(
        encoder,
        gallery(),
        None,
        open_microphone(str(tmp_path / "a.wav"), YAMNET.rate_hz),
        fast=True,
    )
    heard = senses(list(watch.observations()))
    assert [window for window in heard if window >= 15] == [23, 24, 25]
    assert encoder.heard == len(heard) and watch.idle == 26 - len(heard)


def test_a_sound_without_a_bird_is_no_observation(tmp_path: Path) -> None:
    """The classes are all 0: nothing is embedded, except beside a picture."""

    class Birdless(Attentive):
        def hear(self, waveform: np.ndarray) -> Heard:
            frames = super().hear(waveform).frames
            return Heard(frames, lambda: np.zeros((1, CLASSES), np.float32))

    encoder, audio = Birdless(), song(tmp_path / "a.wav", 6)
    watch = Watch(encoder, gallery(), None, open_microphone(audio, YAMNET.rate_hz), fast=True)
    assert list(watch.observations()) == [] and watch.idle == 2 and encoder.heard == 0
    camera = open_camera(film(tmp_path / "a.avi", 6))
    watch = Watch(encoder, gallery(), camera, open_microphone(audio, YAMNET.rate_hz), fast=True)
    assert senses(list(watch.observations())) == {0: BOTH, 1: BOTH} and encoder.heard == 2


def test_nothing_to_watch_is_told() -> None:
    with pytest.raises(UsageError, match="neither a camera nor a microphone"):
        Watch(ColourAndPitch(), gallery(), None, None)


class Garden:
    """Stands for a live camera, whose frames are always new."""

    name, live, ended, end_s, throttled = "garden", True, False, math.inf, False

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
        """Nothing to release."""


def test_fast_is_refused_for_a_live_source() -> None:
    with pytest.raises(UsageError, match="cannot be watched faster than time passes; leave out"):
        Watch(ColourAndPitch(), gallery(), Garden(), None, fast=True)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Let the process's time pass only as the test says; a wait takes no time of its own."""
    now_s = [1000.0]

    def wait(self: object, timeout: float) -> None:
        now_s[0] += timeout

    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    monkeypatch.setattr(threading.Event, "wait", wait)
    yield now_s


def test_a_window_tells_how_long_the_machine_has_slept(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    asleep_s = 0.0
    monkeypatch.setattr("time.clock_gettime", lambda _: clock[0] + asleep_s)
    windows = Watch(ColourAndPitch(), gallery(), Garden(), None).windows()
    told = [next(windows).slept_s]
    asleep_s = 20_000.0
    told += [window.slept_s for window in itertools.islice(windows, 2)]
    assert told == [0, 20_000, 20_000]


@pytest.mark.parametrize("late_s", [0.0, 2.0])
def test_a_late_live_scene_goes_on_with_its_newest_window(
    late_s: float, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """Decided at 5.295 s, and ready at 12.795 s, when windows 1, 2 and 3 are complete: on with 3.

    Window 3, [7.2, 12.495), is ready in time for 4, which is waited for until 14.895 s; with a
    camera that is itself late, all is later by so much.
    """
    camera = Garden()
    watch = Watch(ColourAndPitch(), gallery(), camera, None, latency=Latency(camera_s=late_s))
    windows = watch.observations()
    starts = [next(windows).start_s]
    clock[0] += 7.5
    starts += [entry.start_s for entry in itertools.islice(windows, 2)]
    assert starts == pytest.approx([0, 7.2, 9.6])
    assert watch.skipped == 2
    assert clock[0] == pytest.approx(1000 + 9.6 + YAMNET.window_s + late_s)
    asked = (1007.2 + late_s, 1012.495 + late_s)
    assert camera.asked[1] == pytest.approx(asked), "live sources go by monotonic()"
    assert caplog.messages == ["processing takes longer than 2.4 s a window; windows are skipped"]


class Air:
    """Stands for a live microphone in which nothing is to be heard."""

    name, live, ended, end_s, loss, overruns = "air", True, False, math.inf, None, 0

    def __init__(self) -> None:
        self.asked: list[tuple[float, float]] = []

    def window(self, start_s: float, end_s: float) -> None:
        self.asked.append((start_s, end_s))

    def close(self) -> None:
        """Nothing to release."""


@pytest.mark.parametrize("latency", [Latency(1.5, 0.25), Latency(0.25, 1.5)])
def test_what_happened_together_is_judged_together_however_late_it_comes(
    latency: Latency, clock: list[float]
) -> None:
    """Window 0 is of 0 to 5.295 s, and is there 1.5 s later, by the sense that is later."""
    camera, microphone = Garden(), Air()
    windows = Watch(ColourAndPitch(), gallery(), camera, microphone, latency=latency).windows()
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


def test_a_window_tells_what_was_lost_so_far(clock: list[float]) -> None:
    """Of two windows that are left out the next one tells, as of three overruns of the sound."""
    microphone = Air()
    windows = Watch(ColourAndPitch(), gallery(), None, microphone).windows()
    told = [next(windows).overruns]
    clock[0] += 7.5
    microphone.overruns = 3
    told.append(next(windows).overruns)
    assert told == [{SOUND: 0, LATE: 0, HOT: 0}, {SOUND: 3, LATE: 2, HOT: 0}]


def test_files_are_not_late(tmp_path: Path) -> None:
    camera = open_camera(film(tmp_path / "a.avi", 6))
    watch = Watch(ColourAndPitch(), gallery(), camera, None, fast=True, latency=Latency(3, 3))
    assert senses(list(watch.observations())) == {0: SEEN, 1: SEEN}


def test_every_second_window_is_left_out_while_the_machine_is_hot(
    clock: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hot after windows 0 and 2: on with 2 and 4; then it is cool, and 5 comes."""
    monkeypatch.setattr("birdfield.watch.thermal.ZONES", tmp_path)
    (tmp_path / "thermal_zone0").mkdir()
    temperature = tmp_path / "thermal_zone0" / "temp"
    camera = Garden()
    watch = Watch(ColourAndPitch(), gallery(), camera, None)
    windows = watch.observations()
    starts, throttled = [], []
    for text in ("80000", "80000", "50000", "50000"):
        starts.append(next(windows).start_s)
        throttled.append(camera.throttled)
        temperature.write_text(text)
    assert starts == pytest.approx([0, 4.8, 9.6, 12.0])
    assert throttled == [False, True, True, False]
    assert watch.rested == 2 and watch.skipped == 0


def test_late_files_are_watched_whole(tmp_path: Path, clock: list[float]) -> None:
    microphone = open_microphone(song(tmp_path / "a.wav", 12), YAMNET.rate_hz)
    watch = Watch(ColourAndPitch(), gallery(), None, microphone)
    starts = []
    for observation in watch.observations():
        starts.append(observation.start_s)
        clock[0] += 20
    assert starts == pytest.approx([0, 2.4, 4.8, 7.2]) and watch.skipped == 0


def test_a_stopped_watch_ends_at_once() -> None:
    """It does not wait until the first window is over, at 5.295 s."""
    watch = Watch(ColourAndPitch(), gallery(), Garden(), None)
    stopper = threading.Timer(0.2, watch.stop)
    stopper.start()
    started_s = time.monotonic()
    assert list(watch.observations()) == []
    stopper.join()
    assert time.monotonic() - started_s < YAMNET.window_s


def test_a_window_tells_why_a_live_source_gives_nothing(clock: list[float]) -> None:
    """Nothing comes; its watchdog knows why two windows later, and one before frames come again."""
    camera = Garden()
    windows = Watch(ColourAndPitch(), gallery(), camera, None).windows()
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
def test_a_file_beside_a_network_camera_plays_at_real_pace(tmp_path: Path) -> None:
    """The sound is over after 6 s; the camera goes on until the watch is stopped."""
    microphone = open_microphone(song(tmp_path / "a.wav", 6), YAMNET.rate_hz)
    with mjpeg_camera() as port:
        camera = LiveCamera(f"http://127.0.0.1:{port}/")
        watch = Watch(ColourAndPitch(), gallery(), camera, microphone)
        try:
            started_s = time.monotonic()
            first, second = itertools.islice(watch.observations(), 2)
            assert time.monotonic() - started_s > 2.4 + YAMNET.window_s - 0.01
        finally:
            camera.close()
    assert first.decision.senses == second.decision.senses == BOTH
    assert first.image_source == f"http://127.0.0.1:{port}/"


def test_an_observation_as_json(tmp_path: Path) -> None:
    """Softmax of the cosines 1 and 0 at a temperature of 0.1: 1 / (1 + e^-10) = 0.99995."""
    audio = song(tmp_path / "a.wav", 5)
    entry = to_json(observe("none", audio)[0], "a1b2")
    assert datetime.fromisoformat(entry.pop("time")).utcoffset() == timedelta(0)
    quality = entry.pop("quality")
    assert quality["image"] is None and 0 <= quality["audio"] <= 1
    assert entry == {
        "file": {"image": None, "audio": audio},
        "start_s": 0.0,
        "end_s": 5.0,
        "species": "Robin",
        "score": 1.0,
        "similarity": 1.0,
        "margin": 1.0,
        "unknown": False,
        "senses": ["audio"],
        "agreement": "single",
        "model": "a1b2",
        "top": [{"species": "Robin", "score": 1.0}, {"species": "Jay", "score": 0.0}],
    }


def test_an_unknown_bird_of_a_photograph_as_json() -> None:
    decision = Decision(
        None, 0.51239, 0.123456, 0.01234, SEEN, (("Robin", 0.51239),), "single", 0.87654, None
    )
    entry = to_json(
        Observation(datetime(2025, 5, 1, tzinfo=UTC), None, None, decision, "robin.jpg", None),
        "a1b2",
    )
    assert (entry["species"], entry["unknown"]) == (None, True)
    assert (entry["start_s"], entry["end_s"]) == (None, None)
    assert (entry["similarity"], entry["margin"]) == (0.1235, 0.0123)
    assert entry["quality"] == {"image": 0.8765, "audio": None}
