"""Scene start: files are watched at the time at which they were recorded."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from recorded_files import AUDIOMOTH, info, write_wav
from toy_scene import film, song, toy_recogniser

from birdfield.capture.camera import open_camera
from birdfield.capture.microphone import open_microphone
from birdfield.errors import UsageError
from birdfield.model.audio_specs import YAMNET
from birdfield.settings.rules import LiveRules, Rules
from birdfield.signals.recording_time import TimeSource
from birdfield.watch.scene import SceneWatcher
from birdfield.watch.scene_clock import past
from birdfield.watch.scene_start import SceneStart, find_start
from birdfield.watch.sources import Sources

MORNING = datetime(2026, 5, 12, 5, 10, tzinfo=UTC)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def files(stack: ExitStack, sound: Path | None = None, picture: Path | None = None) -> Sources:
    camera = open_camera(str(picture)) if picture else None
    microphone = open_microphone(str(sound), YAMNET.rate_hz) if sound else None
    for source in (camera, microphone):
        if source is not None:
            stack.enter_context(closing(source))
    return Sources(camera, microphone)


def moth(path: Path, zone: str = "UTC") -> Path:
    return write_wav(path, info(ICMT=AUDIOMOTH.format(zone=zone)))


def test_a_scene_begins_when_its_sound_was_recorded(tmp_path: Path, stack: ExitStack) -> None:
    start = find_start(files(stack, moth(tmp_path / "a.wav")))
    assert start == SceneStart(MORNING, TimeSource.COMMENT)


def test_the_user_may_state_when_a_scene_began(tmp_path: Path, stack: ExitStack) -> None:
    given = datetime(2020, 1, 1, tzinfo=UTC)
    sources = files(stack, moth(tmp_path / "a.wav"))
    assert find_start(sources, given) == SceneStart(given, TimeSource.OPTION)
    with pytest.raises(UsageError, match="is in the future; expected a past one"):
        find_start(sources, datetime.now(UTC) + timedelta(hours=1))


def test_a_live_source_has_the_time_of_the_clock() -> None:
    class Live:
        live, name = True, "USB"

    sources = Sources(None, Live())  # type: ignore[arg-type]
    assert find_start(sources) is None
    with pytest.raises(UsageError, match="a start is for files only"):
        find_start(sources, MORNING)


def test_a_film_has_the_time_of_its_name(
    tmp_path: Path, stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    """The sound states none; with one that does, it decides, and a difference is logged."""
    seen = Path(film(tmp_path / "VID_20260512T051500Z.avi", 1))
    heard = write_wav(tmp_path / "b.wav")
    later = SceneStart(MORNING + timedelta(minutes=5), TimeSource.NAME)
    assert find_start(files(stack, heard, seen)) == later
    assert not caplog.messages
    found = find_start(files(stack, moth(tmp_path / "a.wav"), seen))
    assert found == SceneStart(MORNING, TimeSource.COMMENT)
    assert "recorded 300 s apart, by their comment and name" in caplog.text


def test_a_file_without_a_time_ends_when_it_was_last_changed(
    tmp_path: Path, stack: ExitStack
) -> None:
    """A sound of 20 s that was last changed at 05:10 began at 05:09:40."""
    path = write_wav(tmp_path / "a.wav", length_s=20)
    os.utime(path, (MORNING.timestamp(),) * 2)
    assert find_start(files(stack, path)) == SceneStart(MORNING - timedelta(seconds=20))


def test_no_scene_ends_in_the_future(
    tmp_path: Path, stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    """A sound of 20 s cannot have begun 10 s ago: its clock or its zone is wrong."""
    now = datetime.now(UTC)
    path = write_wav(tmp_path / f"{now - timedelta(seconds=10):%Y%m%dT%H%M%SZ}.wav", length_s=20)
    os.utime(path, (now.timestamp() + 9000,) * 2)
    start = find_start(files(stack, path))
    assert start is not None and start.source is None
    assert now - timedelta(seconds=20) <= start.time <= datetime.now(UTC) - timedelta(seconds=20)
    assert "ends in the future; this is not used" in caplog.text
    assert past(datetime.now(UTC), 5.0) <= datetime.now(UTC)


@pytest.mark.slow
@pytest.mark.parametrize("fast", [True, False])
def test_windows_and_observations_have_the_time_of_recording(
    tmp_path: Path, stack: ExitStack, fast: bool
) -> None:
    """At both paces, the first window of 5.295 s begins with the recording, at 05:10 UTC."""
    path = Path(song(tmp_path / "20260512T051000Z.wav", 6))
    scene = SceneWatcher(toy_recogniser(), files(stack, path), fast)
    assert scene.began == MORNING
    window = next(scene.windows())
    assert window.time == MORNING + timedelta(seconds=YAMNET.window_s)
    assert window.observation is not None and window.observation.recorded is not None
    assert window.observation.recorded.start == MORNING
    assert window.observation.recorded.source is TimeSource.NAME


@pytest.mark.slow
def test_at_real_pace_a_file_without_a_time_has_that_of_the_clock(
    tmp_path: Path, stack: ExitStack
) -> None:
    path = Path(song(tmp_path / "a.wav", 6))
    os.utime(path, (MORNING.timestamp(),) * 2)
    before = datetime.now(UTC)
    window = next(SceneWatcher(toy_recogniser(), files(stack, path)).windows())
    assert before < window.time < datetime.now(UTC)
    assert window.observation is not None and window.observation.recorded is None


def test_the_checklist_has_the_week_of_the_recording(tmp_path: Path, stack: ExitStack) -> None:
    """12 May 2026 is a Tuesday in week 20: week 1 holds 1 January, a Thursday, and ends on the 4th;
    12 May is day 132, so 128 days, or 18 weeks and 2 days, later.
    """
    asked: list[int] = []

    def expect_all(week: int) -> NDArray[np.float64]:
        asked.append(week)
        return np.zeros(2)

    recogniser = replace(toy_recogniser(), rules=LiveRules(Rules(log_prior=expect_all)))
    path = Path(song(tmp_path / "20260512T051000Z.wav", 6))
    next(SceneWatcher(recogniser, files(stack, path), fast=True).windows())
    assert asked == [20]
