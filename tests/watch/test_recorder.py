"""Recorder: visits with their evidence, and the events of sources."""

import logging
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile
from recorder_scene import (
    NOON,
    RATE_HZ,
    WINDOW_S,
    events,
    evidence_suffixes,
    start_recorder,
    visits,
    window,
)

from birdfield.journal.opening import read_journal
from birdfield.journal.queries import events_of
from birdfield.settings.quiet_hours import QuietHours
from birdfield.settings.rules import LiveRules, Rules
from birdfield.watch.overruns import DROPPED, SOUND_OVERRUN
from birdfield.watch.recorder import RecorderSettings
from birdfield.watch.window import WINDOW_STEP_S


def embeddings(folder: Path) -> dict[str, np.ndarray]:
    with closing(read_journal(folder)) as journal:
        return {
            row["sense"]: np.frombuffer(row["vector"], "<f4")
            for row in journal.database.execute("SELECT sense, vector FROM embeddings")
        }


def test_a_visit_is_written_with_its_evidence(tmp_path: Path) -> None:
    """The bird is heard from 0 s, and window 3 ends at 7.2 + 5.295 = 12.495 s."""
    recorder = start_recorder(tmp_path)
    for number in range(4):
        recorder.add(window(number, seen=60, heard=60))
    recorder.close()
    (visit,) = visits(tmp_path)
    assert (visit.species, visit.senses, visit.agreement) == ("Robin", "both", "agree")
    assert visit.started == NOON
    assert visit.ended == NOON + timedelta(seconds=12.495)
    assert evidence_suffixes(tmp_path) == [".flac", ".jpg", ".png"]
    assert {sense: vector.shape for sense, vector in embeddings(tmp_path).items()} == {
        "image": (128,),
        "audio": (128,),
    }
    assert [kind for kind, _ in events(tmp_path)] == ["started", "stopped"]


def test_the_best_sound_starts_with_the_window_before(tmp_path: Path) -> None:
    """Window 2 has the highest score and starts at 4.8 s; window 1 starts at 2.4 s.

    Each sample is 0.01 x its time: the first 0.024, the last 0.01 x (4.8 + 5.295) = 0.10095.
    """
    recorder = start_recorder(tmp_path)
    for number, angle in enumerate((66, 64, 60, 66)):
        recorder.add(window(number, heard=angle))
    recorder.close()
    (visit,) = visits(tmp_path)
    heard, rate_hz = soundfile.read(tmp_path / str(visit.sound))
    assert (rate_hz, len(heard)) == (RATE_HZ, round((WINDOW_STEP_S + WINDOW_S) * RATE_HZ))
    np.testing.assert_allclose(heard[[0, -1]], [0.024, 0.10095], atol=1e-4)
    np.testing.assert_allclose(np.diff(heard), 0.01 / RATE_HZ, atol=1 / 32_768), "one piece"


def test_no_sound_of_speech_or_its_neighbours_is_kept(tmp_path: Path) -> None:
    """Somebody speaks in windows 5 and 6, [12, 19.7): with a margin of 2.4 s, [9.6, 22.1)."""
    recorder = start_recorder(tmp_path)
    for number in range(12):
        # The windows with speech have the highest score for the Robin.
        recorder.add(window(number, heard=60 if number in (5, 6) else 65, spoken=number in (5, 6)))
    recorder.close()
    (visit,) = visits(tmp_path)
    assert visit.windows == 12
    with closing(read_journal(tmp_path)) as journal:
        spans = journal.database.execute("SELECT start_s, end_s FROM evidence").fetchall()
    assert spans and all(end_s <= 9.6 or start_s >= 22.0 for start_s, end_s in spans)
    np.testing.assert_allclose(
        embeddings(tmp_path)["audio"][:2],
        [np.cos(np.radians(65)), np.sin(np.radians(65))],
        atol=1e-5,
    )


def test_a_visit_with_speech_throughout_keeps_pictures_only(tmp_path: Path) -> None:
    recorder = start_recorder(tmp_path)
    for number in range(6):
        recorder.add(window(number, seen=60, heard=60, spoken=True))
    recorder.close()
    (visit,) = visits(tmp_path)
    assert visit.senses == "both"
    assert evidence_suffixes(tmp_path) == [".jpg"] and set(embeddings(tmp_path)) == {"image"}
    assert events(tmp_path)[-1] == ("stopped", "6 windows of sound were withheld for speech")


def test_with_keep_voices_sound_with_speech_is_kept(tmp_path: Path) -> None:
    recorder = start_recorder(tmp_path, RecorderSettings(keep_voices=True))
    for number in range(3):
        recorder.add(window(number, heard=60, spoken=True))
    recorder.close()
    assert evidence_suffixes(tmp_path) == [".flac", ".png"]


def test_without_a_visit_no_frame_is_kept(tmp_path: Path) -> None:
    """250 degrees is far from all species, and one window of a Jay alone is no visit."""
    recorder = start_recorder(tmp_path)
    for number in range(5):
        recorder.add(window(number, seen=0 if number == 2 else 250))
    recorder.close()
    assert visits(tmp_path) == [] and not (tmp_path / "evidence").exists()


def test_the_loss_and_the_return_of_a_source_are_events(tmp_path: Path) -> None:
    recorder = start_recorder(tmp_path)
    for number, fault in enumerate((None, "no frame", "no frame", "has hung for 20 s", None)):
        recorder.add(window(number, heard=60, faults={"camera": fault, "microphone": None}))
    recorder.close()
    assert events(tmp_path)[1:4] == [
        ("camera lost", "no frame"),
        ("camera still lost", "has hung for 20 s"),
        ("camera back", "usable again"),
    ]


def test_a_source_that_was_never_there_is_awaited(tmp_path: Path) -> None:
    """A station without a camera has lost none; the microphone is found, and lost later."""
    recorder = start_recorder(tmp_path)
    faults = (("no frame", "silent"), ("cannot be opened", None), ("cannot be opened", "silent"))
    for number, (camera, microphone) in enumerate(faults):
        recorder.add(window(number, faults={"camera": camera, "microphone": microphone}))
    recorder.close()
    assert events(tmp_path)[1:6] == [
        ("camera awaited", "no frame"),
        ("microphone awaited", "silent"),
        ("camera still awaited", "cannot be opened"),
        ("microphone found", "usable"),
        ("microphone lost", "silent"),
    ]


def test_each_series_of_losses_is_one_event(tmp_path: Path) -> None:
    """Sound is lost in windows 2, 3 and 12, and again in window 60, more than a minute later.

    Window 2 ends at 4.8 + 5.295 = 10.095 s, and window 12 24 s later. The second series is open at
    the end.
    """
    recorder = start_recorder(tmp_path)
    counts = {2: 1, 3: 3, 12: 4, 60: 6}
    for number in range(62):
        count = max((count for since, count in counts.items() if since <= number), default=0)
        recorder.add(window(number, overruns={SOUND_OVERRUN: count, DROPPED: 0}))
    recorder.close()
    with closing(read_journal(tmp_path)) as journal:
        recorded = [(row.kind, row.detail, row.time) for row in events_of(journal, None, None)][
            1:-1
        ]
    assert recorded == [
        (
            SOUND_OVERRUN,
            "4 times the sound system dropped samples, within 24 s",
            NOON + timedelta(seconds=10.095),
        ),
        (
            SOUND_OVERRUN,
            "2 times the sound system dropped samples, within 0 s",
            NOON + timedelta(seconds=149.295),
        ),
    ]


def test_in_quiet_hours_no_visit_is_recorded(tmp_path: Path) -> None:
    """On the equator the sun is up at noon UTC at 0 degrees east, and down at 180."""
    for name, longitude in (("day", 0.0), ("night", 180.0)):
        recorder = start_recorder(
            tmp_path / name, rules=LiveRules(Rules(quiet=QuietHours(longitude=longitude)))
        )
        for number in range(3):
            recorder.add(window(number, seen=60))
        recorder.close()
    assert len(visits(tmp_path / "day")) == 1 and visits(tmp_path / "night") == []


def test_a_visit_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    recorder = start_recorder(tmp_path)
    for number in range(3):
        recorder.add(window(number, seen=60))
    recorder.close()
    assert any(
        message.startswith("visit: Robin, 12:00:02 to 12:00:10, 0.99 by image")
        for message in caplog.messages
    )
