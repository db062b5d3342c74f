"""Scene: windows and decisions of files, at real pace and faster."""

import logging
import math
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import soundfile
from frames import scenery
from toy_scene import COLOURS, FPS, SONGS_HZ, ColourAndPitch, film, song, toy_recogniser

from birdfield.capture.camera import open_camera
from birdfield.capture.latency import Latency
from birdfield.capture.microphone import open_microphone
from birdfield.errors import UsageError
from birdfield.model.audio_specs import YAMNET
from birdfield.model.frontend import SoundFeatures
from birdfield.model.sense import EACH_SENSE, Sense
from birdfield.model.yamnet import CLASSES
from birdfield.recognise.decide import Agreement, Decision
from birdfield.recognise.observation import Observation, to_json
from birdfield.watch.scene import SceneWatcher
from birdfield.watch.sources import Sources
from birdfield.watch.window import WINDOW_STEP_S


def garden_film(path: Path, length_s: float, bird: tuple[float, float] = (0, 0)) -> str:
    """Write a video of a still garden, 320 x 240, with a bird from bird[0] to bird[1] s."""
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
        watcher = SceneWatcher(toy_recogniser(), Sources(camera, microphone), fast)
        return list(watcher.observations())
    finally:
        for source in (camera, microphone):
            if source is not None:
                source.close()


def senses(observations: list[Observation]) -> dict[int, tuple[str, ...]]:
    """Return the senses of each decision by the number of its window."""
    assert all(entry.start_s is not None for entry in observations)
    return {
        round((entry.start_s or 0) / WINDOW_STEP_S): entry.decision.senses for entry in observations
    }


BOTH, SEEN, HEARD = EACH_SENSE, (Sense.IMAGE,), (Sense.AUDIO,)


def test_every_window_of_two_files_is_decided(tmp_path: Path) -> None:
    """Windows of 12 s start at 0, 2.4, 4.8 and 7.2 s; the files end within the last, at 12 s."""
    image, audio = film(tmp_path / "a.avi", 12), song(tmp_path / "a.wav", 12)
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
    assert {entry.recorded for entry in observations} == {None}
    assert observations[-1].time == pytest.approx(
        datetime.fromtimestamp(Path(audio).stat().st_mtime, UTC), abs=timedelta(milliseconds=1)
    )


def test_a_bird_seen_and_another_heard_are_one_joint_decision(tmp_path: Path) -> None:
    """The mean of two orthogonal vectors has a cosine of 1/sqrt(2) with each: the margin is 0."""
    observations = observe(film(tmp_path / "a.avi", 6), song(tmp_path / "a.wav", 6, "Jay"))
    assert observations[0].decision.similarity == pytest.approx(math.sqrt(0.5), abs=1e-5)
    assert observations[0].decision.margin == pytest.approx(0, abs=1e-5)


def test_a_covered_camera_and_a_muted_microphone_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Windows end at 5.3, 7.7, 10.1, 12.5, 14.9, 17.3 and 19.7 s, and the last at 20 s.

    From 4 to 9 s the camera is covered: the newest frames of windows 0 and 1 are dark. From 7 to
    14.9 s the microphone is muted: throughout window 3, [7.2, 12.495), and 4, [9.6, 14.895).
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
        "waiting for the camera: dark; deciding by sound alone",
        "camera is usable",
        "microphone: silent; deciding by sight alone",
        "microphone is usable again",
    ]


def test_a_frozen_camera_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The picture is frozen from 2 to 8 s: for 3.2 s by 5.2 s, for 5.6 s by 7.6 s."""
    observations = observe(
        film(tmp_path / "a.avi", 12, frozen=(2, 8)), song(tmp_path / "a.wav", 12)
    )
    assert senses(observations) == {0: HEARD, 1: HEARD, 2: BOTH, 3: BOTH}
    assert caplog.messages[0] == "waiting for the camera: frozen; deciding by sound alone"


def test_without_a_usable_sense_there_is_no_decision(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    observations = observe(
        film(tmp_path / "a.avi", 12, covered=(0, 9)), song(tmp_path / "a.wav", 12, muted=(0, 7.7))
    )
    assert senses(observations) == {2: BOTH, 3: BOTH}
    assert caplog.messages == [
        "waiting for the camera: dark; no decision",
        "waiting for the microphone: silent; no decision",
        "camera is usable",
        "microphone is usable",
    ]


def test_a_frame_is_fused_only_with_the_sound_of_its_window(tmp_path: Path) -> None:
    """The last frame, at 2.9 s, lies in windows 0 and 1, but not in window 2, [4.8, 10.095)."""
    observations = observe(film(tmp_path / "a.avi", 3), song(tmp_path / "a.wav", 12))
    assert senses(observations) == {0: BOTH, 1: BOTH, 2: HEARD, 3: HEARD}


def test_after_the_end_of_the_sound_the_camera_decides(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of 6 s of sound, window 1 has 3.6 s, window 2 1.2 s and window 3 none."""
    observations = observe(film(tmp_path / "a.avi", 12), song(tmp_path / "a.wav", 6))
    assert senses(observations) == {0: BOTH, 1: BOTH, 2: BOTH, 3: SEEN}
    assert caplog.messages == ["microphone: ended; deciding by sight alone"]


@pytest.mark.parametrize(("length_s", "windows"), [(0.9, 0), (1.1, 1), (5.295, 1), (5.4, 2)])
def test_a_window_needs_one_second_of_sound(tmp_path: Path, length_s: float, windows: int) -> None:
    observations = observe("none", song(tmp_path / "a.wav", length_s))
    assert len(observations) == windows
    assert all(entry.end_s == pytest.approx(length_s) for entry in observations[-1:])


def test_each_sense_is_watched_alone(tmp_path: Path) -> None:
    seen = observe(film(tmp_path / "a.avi", 6, "Jay"), "none")
    heard = observe("none", song(tmp_path / "a.wav", 6, "Jay"))
    assert senses(seen) == {0: SEEN, 1: SEEN} and senses(heard) == {0: HEARD, 1: HEARD}
    assert {entry.decision.species for entry in seen + heard} == {"Jay"}
    assert seen[0].audio_source is None and heard[0].image_source is None


@pytest.mark.slow
def test_decisions_do_not_depend_on_the_pace(tmp_path: Path) -> None:
    """At real pace the windows of 6 s, which end at 5.295 and 7.695 s, need at least 7.695 s.

    An upper limit, and the duration with `fast`, depend on the machine.
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


class Recording(ColourAndPitch):
    """An encoder that records the shapes of its pictures and counts its sounds."""

    def __init__(self) -> None:
        self.shown: list[tuple[int, ...]] = []
        self.heard = 0

    def image_vector(self, image: np.ndarray) -> np.ndarray:
        self.shown.append(image.shape)
        return super().image_vector(image)

    def audio_vector(self, frames: np.ndarray) -> np.ndarray:
        self.heard += 1
        return super().audio_vector(frames)


def test_a_still_scene_is_embedded_once_and_a_bird_in_each_window(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A bird of 32 px is present from 9 to 14 s; windows start at 0, 2.4 ... 16.8 s.

    It is seen first in window 2, [4.8, 10.095), and last in window 5, [12, 17.295).
    """
    caplog.set_level(logging.INFO)
    camera = open_camera(garden_film(tmp_path / "a.avi", 22, bird=(9, 14)))
    encoder = Recording()
    watcher = SceneWatcher(toy_recogniser(encoder), Sources(camera, None), fast=True)
    observations = list(watcher.observations())
    assert senses(observations) == {0: SEEN, 2: SEEN, 3: SEEN, 4: SEEN, 5: SEEN}
    assert encoder.shown[0] == (240, 320, 3), "the whole frame of a new scene"
    assert all(48 <= side <= 80 for shape in encoder.shown[1:] for side in shape[:2])
    assert watcher.quiet == 3
    assert caplog.messages == ["nothing moved and no bird was heard in 3 windows"]


def test_background_sound_is_not_embedded(tmp_path: Path) -> None:
    """A hum of -60 dB is background after about 30 s, and a song starts at 60 s.

    Window 22 is [52.8, 58.1), window 23 [55.2, 60.495), and window 25 ends with the file at 65 s.
    """
    hum = np.random.default_rng(0).normal(0, 0.001, 65 * 16_000)
    seconds = np.arange(len(hum)) / 16_000
    hum += 0.1 * np.sin(2 * np.pi * SONGS_HZ["Robin"] * seconds) * (seconds >= 60)
    soundfile.write(tmp_path / "a.wav", hum, 16_000)
    encoder = Recording()
    microphone = open_microphone(str(tmp_path / "a.wav"), YAMNET.rate_hz)
    watcher = SceneWatcher(toy_recogniser(encoder), Sources(None, microphone), fast=True)
    heard = senses(list(watcher.observations()))
    assert [window for window in heard if window >= 15] == [23, 24, 25]
    assert encoder.heard == len(heard) and watcher.quiet == 26 - len(heard)


def test_sound_without_a_bird_is_no_observation(tmp_path: Path) -> None:
    """All class scores are 0: the sound is embedded only beside a picture."""

    class WithoutBirds(Recording):
        def extract_features(self, waveform: np.ndarray) -> SoundFeatures:
            frames = super().extract_features(waveform).embeddings
            return SoundFeatures(frames, lambda: np.zeros((1, CLASSES), np.float32))

    encoder, audio = WithoutBirds(), song(tmp_path / "a.wav", 6)
    sources = Sources(None, open_microphone(audio, YAMNET.rate_hz))
    watcher = SceneWatcher(toy_recogniser(encoder), sources, fast=True)
    assert list(watcher.observations()) == [] and watcher.quiet == 2 and encoder.heard == 0
    camera = open_camera(film(tmp_path / "a.avi", 6))
    sources = Sources(camera, open_microphone(audio, YAMNET.rate_hz))
    watcher = SceneWatcher(toy_recogniser(encoder), sources, fast=True)
    assert senses(list(watcher.observations())) == {0: BOTH, 1: BOTH} and encoder.heard == 2


def test_a_scene_without_sources_is_refused() -> None:
    with pytest.raises(UsageError, match="neither a camera nor a microphone"):
        SceneWatcher(toy_recogniser(), Sources(None, None))


def test_files_have_no_latency(tmp_path: Path) -> None:
    camera = open_camera(film(tmp_path / "a.avi", 6))
    sources = Sources(camera, None, Latency(3, 3))
    watcher = SceneWatcher(toy_recogniser(), sources, fast=True)
    assert senses(list(watcher.observations())) == {0: SEEN, 1: SEEN}


def test_an_observation_as_json(tmp_path: Path) -> None:
    """Softmax of the cosines 1 and 0 at a temperature of 0.1: 1 / (1 + e^-10) = 0.99995."""
    audio = song(tmp_path / "a.wav", 5)
    entry: dict[str, Any] = {**to_json(observe("none", audio)[0], "a1b2")}
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
        "recorded_at": None,
        "recorded_at_source": None,
        "top": [{"species": "Robin", "score": 1.0}, {"species": "Jay", "score": 0.0}],
        "reason": None,
        "decided_by": {"figure": "similarity", "value": 1.0, "needed": 0.5},
    }


def test_an_unknown_bird_of_a_photograph_as_json() -> None:
    decision = Decision(
        None,
        0.51239,
        0.123456,
        0.01234,
        SEEN,
        (("Robin", 0.51239),),
        Agreement.SINGLE,
        0.87654,
        None,
    )
    entry = to_json(
        Observation(datetime(2025, 5, 1, tzinfo=UTC), None, None, decision, "robin.jpg", None),
        "a1b2",
    )
    assert (entry["species"], entry["unknown"]) == (None, True)
    assert (entry["start_s"], entry["end_s"]) == (None, None)
    assert (entry["similarity"], entry["margin"]) == (0.1235, 0.0123)
    assert entry["quality"] == {"image": 0.8765, "audio": None}
