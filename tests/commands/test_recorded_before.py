"""Recordings made before they are analysed: visits and answers have the time of recording.

BirdNET-Pi#603, Nachtzuster/BirdNET-Pi#227, AudioMoth-Configuration-App#12, BirdNET-Analyzer#149.
"""

import csv
import io
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from command_line import assert_refused, lines_of, run
from recorded_files import AUDIOMOTH, exif, info, write_photograph

from birdfield.model.audio_specs import YAMNET
from birdfield_train.toy_aviary import sing

MOTH = "20260512_051000.WAV"


@pytest.fixture(autouse=True)
def _own_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC until a command chooses another zone, and again after the test."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The card of an AudioMoth: 20 s of a Copper Wagtip, whose comment and name have its time."""
    folder = tmp_path_factory.mktemp("card")
    plain = folder / "plain.wav"
    soundfile.write(plain, sing(0, np.random.default_rng(3), 20.0), YAMNET.rate_hz)
    comment = info(ICMT=AUDIOMOTH.format(zone="UTC"))
    data = plain.read_bytes()
    size = int.from_bytes(data[4:8], "little") + len(comment)
    (folder / MOTH).write_bytes(
        data[:4] + size.to_bytes(4, "little") + data[8:12] + comment + data[12:]
    )
    return folder


def watch(model: Path, sound: Path, journal: Path, *options: str) -> list[dict[str, Any]]:
    """Watch a sound at the greatest pace, and return the visits."""
    arguments = ("--camera", "none", "--microphone", sound, "--journal", journal, "--fast")
    result = run("watch", "--model", model, *arguments, *options)
    assert result.exit_code == 0, result.output
    return lines_of(run("visits", journal, "--json"))


def test_a_visit_has_the_day_on_which_it_was_recorded(
    toy_bundle: Path, card: Path, tmp_path: Path
) -> None:
    """The song fills the sound, which begins at 05:10:00 and lasts 20 s."""
    [visit] = watch(toy_bundle, card / MOTH, tmp_path / "J")
    assert visit["species"] == "Copper Wagtip"
    assert "2026-05-12T05:10:00" <= visit["started"] < visit["ended"] <= "2026-05-12T05:10:21"
    events = lines_of(run("visits", tmp_path / "J", "--events", "--json"))
    assert {event["time"][:10] for event in events} == {"2026-05-12"}


def test_ebird_has_the_day_on_which_it_was_recorded(
    toy_bundle: Path, card: Path, tmp_path: Path
) -> None:
    watch(toy_bundle, card / MOTH, tmp_path / "J")
    names = tmp_path / "birdfield.toml"
    names.with_name("n.csv").write_text(
        "label,scientific,lang,name\nCopper Wagtip,Cuprea vibrans,,\n"
    )
    home = Path(os.environ["XDG_CONFIG_HOME"]) / "birdfield"
    home.mkdir(parents=True)
    (home / "birdfield.toml").write_text(f'[names]\nfile = "{names.with_name("n.csv")}"\n')
    out = tmp_path / "e.csv"
    result = run(
        "export-visits", tmp_path / "J", "--format", "ebird", "--location", "52.5,13.4", "-o", out
    )
    assert result.exit_code == 0, result.output
    [row] = csv.reader(io.StringIO(out.read_text()))
    assert row[8:10] == ["05/12/2026", "05:10"]


def test_quiet_hours_and_rules_follow_the_time_of_recording(
    toy_bundle: Path, card: Path, tmp_path: Path
) -> None:
    """05:10 UTC is 07:10 in Berlin in May."""
    sound = card / MOTH
    assert not watch(toy_bundle, sound, tmp_path / "A", "--quiet", "05:00-05:30")
    assert watch(toy_bundle, sound, tmp_path / "B", "--quiet", "07:00-07:30")
    options = ("--quiet", "07:00-07:30", "--timezone", "Europe/Berlin")
    assert not watch(toy_bundle, sound, tmp_path / "C", *options)
    config = tmp_path / "birdfield.toml"
    config.write_text('[species.snooze]\n"Copper Wagtip" = 2026-05-20\n')
    assert not watch(toy_bundle, sound, tmp_path / "D", "--config", str(config))
    later = ("--config", str(config), "--start", "2026-05-20T06:00")
    assert watch(toy_bundle, sound, tmp_path / "E", *later)


def test_the_start_and_the_zone_may_be_stated(toy_bundle: Path, card: Path, tmp_path: Path) -> None:
    """06:00 in Berlin in May is 04:00 UTC; the visit keeps Berlin's time."""
    sound = card / "plain.wav"
    options = ("--start", "2025-05-01T06:00", "--timezone", "Europe/Berlin")
    [visit] = watch(toy_bundle, sound, tmp_path / "J", *options)
    assert visit["started"].startswith("2025-05-01T06:00:0") and visit["started"][-6:] == "+02:00"
    [visit] = watch(toy_bundle, sound, tmp_path / "K", *options[:2], "--timezone", "-03:30")
    assert visit["started"].startswith("2025-05-01T06:00:0") and visit["started"][-6:] == "-03:30"


def test_no_visit_is_in_the_future(toy_bundle: Path, card: Path, tmp_path: Path) -> None:
    """Two runs of 20 s that take less, on a sound that states no time."""
    before = datetime.now(UTC)
    (tmp_path / "new.wav").write_bytes((card / "plain.wav").read_bytes())
    for _ in range(2):
        visits = watch(toy_bundle, tmp_path / "new.wav", tmp_path / "J")
    ended = [datetime.fromisoformat(visit["ended"]) for visit in visits]
    assert len(ended) == 2 and max(ended) <= datetime.now(UTC)
    assert abs((min(ended) - before).total_seconds()) < 60


def test_identify_gives_the_time_of_recording_and_its_source(
    toy_bundle: Path, card: Path, tmp_path: Path
) -> None:
    """Windows of 5.295 s start 4.8 s apart. A photograph's local time is that of --timezone."""
    seen = write_photograph(tmp_path / "p.jpg", exif("2026:05:12 05:10:00"))
    model = ("--model", toy_bundle, "--json")
    answers = lines_of(run("identify", card / MOTH, *model))
    assert [answer["recorded_at"][:19] for answer in answers[:2]] == [
        "2026-05-12T05:10:00",
        "2026-05-12T05:10:04",
    ]
    assert {answer["recorded_at_source"] for answer in answers} == {"comment"}
    assert answers[0]["time"] == "2026-05-12T05:10:00+00:00"
    [answer] = lines_of(run("identify", seen, *model, "--timezone", "Europe/Berlin"))
    assert answer["recorded_at"] == "2026-05-12T05:10:00+02:00"
    assert answer["recorded_at_source"] == "exif" and answer["time"][11:16] == "03:10"
    [answer, *_] = lines_of(run("identify", card / "plain.wav", *model))
    assert answer["recorded_at"] is None and answer["recorded_at_source"] is None
    pair = ("--image", seen, "--audio", card / MOTH)
    [answer] = lines_of(run("identify", *pair, *model))
    assert answer["recorded_at_source"] == "comment"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--timezone Berlin", ["--timezone is 'Berlin'", "such as Europe/Berlin"]),
        ("--timezone Europe/Berln", ["did you mean Europe/Berlin?"]),
        ("--timezone +15:00", ["expected at most 14 hours from UTC"]),
        ("--start tomorrow", ["--start is 'tomorrow'; expected"]),
        ("--start 2999-01-01", ["is in the future"]),
    ],
)
def test_an_impossible_start_or_zone_is_refused(
    toy_bundle: Path, card: Path, options: str, words: list[str]
) -> None:
    command = ("watch", "--model", toy_bundle, "--camera", "none", "--fast", "--microphone")
    assert_refused(run(*command, card / "plain.wav", *options.split()), 2, *words)
