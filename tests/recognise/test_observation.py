import csv
import io
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fakes import BluePitch, factory, picture, tone

from birdfield.recognise.identify import identify_file, identify_pair
from birdfield.recognise.observation import (
    COLUMNS,
    Observation,
    short_source,
    to_csv,
    to_json,
    to_line,
    to_watch_line,
)


def identify(path: Path) -> list[Observation]:
    return list(identify_file(BluePitch(), factory(), path))


def test_an_observation_has_the_documented_json(tmp_path: Path) -> None:
    path = picture(tmp_path / "robin.png", 60)
    entry = to_json(identify(path)[0], "model id")
    assert list(entry) == [
        "time",
        "file",
        "start_s",
        "end_s",
        "species",
        "score",
        "similarity",
        "margin",
        "unknown",
        "senses",
        "agreement",
        "quality",
        "top",
        "model",
        "reason",
        "decided_by",
        "recorded_at",
        "recorded_at_source",
    ]
    assert entry["file"] == {"image": str(path), "audio": None}
    assert (entry["species"], entry["unknown"], entry["similarity"]) == ("Robin", False, 1.0)
    assert [list(row) for row in entry["top"]] == [["species", "score"]] * 3
    quality = entry["quality"]
    assert quality["image"] is not None and 0 <= quality["image"] <= 1 and quality["audio"] is None
    assert datetime.fromisoformat(entry["time"]).utcoffset() is not None


def test_the_line_says_when_the_senses_disagree(tmp_path: Path) -> None:
    """The sound at 60 degrees is a robin; the picture at 10 is a jay, and that at 60 a robin."""
    lines = []
    for seen in (10, 60):
        image, audio = picture(tmp_path / "a.png", seen), tone(tmp_path / "a.wav", 60)
        found = identify_pair(BluePitch(), factory(), image, audio)
        entry = to_json(found, "m")
        lines.append(to_line(found))
        quality = entry["quality"]
        assert f",{entry['agreement']},{quality['image']},{quality['audio']}," in to_csv([entry])
    assert lines[0].endswith("; sight and sound disagree") and "sight and" not in lines[1]


def test_an_observation_is_a_line_and_a_row_of_csv(tmp_path: Path) -> None:
    """The line has the path as given, since cameras use the same names in several folders."""
    [seen] = identify(picture(tmp_path / "robin.png", 60))
    [far] = identify(picture(tmp_path / "far.png", 230))
    heard = identify(tone(tmp_path / "song.wav", 60, 8.0))
    entries = [to_json(row, "m") for row in (seen, far, *heard)]
    assert to_line(seen).startswith(f"{tmp_path}/robin.png  [image]  Robin 0.9")
    assert to_line(far).startswith(
        f"{tmp_path}/far.png  [image]  unknown: too unlike any species ("
    )
    assert "needs 0.50); nearest: Wren 0.95, Jay 0.05" in to_line(far)
    assert to_line(heard[0]).startswith(f"{tmp_path}/song.wav  0.0-5.3 s  [audio]  Robin")
    rows = list(csv.DictReader(io.StringIO(to_csv(entries))))
    assert tuple(rows[0]) == COLUMNS and len(rows) == len(entries)
    assert (rows[0]["species"], rows[0]["senses"], rows[0]["start_s"]) == ("Robin", "image", "")
    assert (rows[0]["reason"], rows[1]["reason"]) == ("", "unlike")
    assert (rows[1]["figure"], rows[1]["needed"]) == ("similarity", "0.5")
    assert (rows[1]["species"], rows[1]["unknown"], rows[1]["top1"]) == ("", "True", "Wren")


def test_a_line_of_a_watched_scene_has_the_local_time_and_short_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5:00 UTC is 7:00 in a zone of UTC+2; candidates below 0.005 are left out."""
    monkeypatch.setenv("TZ", "UTC-2")
    time.tzset()
    try:
        [seen] = identify(picture(tmp_path / "jay.png", 0))
        live = replace(
            seen,
            time=datetime(2026, 5, 1, 5, tzinfo=UTC),
            image_source="rtsp://***@192.168.1.5:554/stream1?token=***",
            audio_source="USB Mic",
        )
        line = to_watch_line(live)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert line == (
        "07:00:00  192.168.1.5 + USB Mic  [image]  Jay 0.99, Robin 0.01 (similarity 1.00, "
        "needs 0.50)"
    )


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("0", "0"),
        ("/dev/video0", "video0"),
        ("/media/birds/film.mp4", "film.mp4"),
        ("http://feeder.local:8080/stream", "feeder.local"),
        ("USB Mic: Audio", "USB Mic: Audio"),
    ],
)
def test_a_source_has_a_short_name(name: str, short: str) -> None:
    assert short_source(name) == short
