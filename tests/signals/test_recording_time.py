"""Recording time: what states it, in which order, and what is not believed."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from recorded_files import (
    AUDIOMOTH,
    GUANO,
    bext,
    chunk,
    exif,
    info,
    wamd,
    write_photograph,
    write_wav,
)

from birdfield.signals.recording_time import RecordingTime, TimeSource, recording_time
from birdfield.signals.time_texts import time_in_name

MORNING = datetime(2026, 5, 12, 5, 10, tzinfo=UTC)
BERLIN_H = timedelta(hours=2)  # of local time in May, before UTC


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is that of Berlin: 05:10 there in May is 03:10 UTC."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("zone", "offset_h"), [("UTC", 0), ("UTC+2", 2), ("UTC-3", -3), ("UTC+5:30", 5.5)]
)
def test_the_comment_of_an_audiomoth_states_its_zone(
    tmp_path: Path, zone: str, offset_h: float
) -> None:
    """05:10 at UTC+2 is 03:10 UTC; the name, which would be local time, does not count."""
    comment = info(ICMT=AUDIOMOTH.format(zone=zone))
    found = recording_time(write_wav(tmp_path / "20260511_000000.WAV", comment))
    assert found == RecordingTime(MORNING - timedelta(hours=offset_h), TimeSource.COMMENT)


def test_an_early_audiomoth_states_no_zone_and_means_utc(tmp_path: Path) -> None:
    comment = info(ICMT="Recorded at 05:10:00 12/05/2026 by AudioMoth 0000000000000000")
    found = recording_time(write_wav(tmp_path / "5AF67C48.WAV", comment))
    assert found == RecordingTime(MORNING, TimeSource.COMMENT)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-05-12T05:10:00Z", MORNING),
        ("2026-05-12T05:10:00+02:00", MORNING - BERLIN_H),
        ("2026-05-12 05:10:00.125-05:00", MORNING + timedelta(hours=5)),
        ("2026-05-12T05:10:00", MORNING - BERLIN_H),  # local time, by the specification
    ],
)
def test_a_guano_chunk_behind_the_sound_is_read(
    tmp_path: Path, text: str, expected: datetime
) -> None:
    guano = chunk(b"guan", GUANO.format(time=text).encode())
    found = recording_time(write_wav(tmp_path / "a.wav", behind=guano, length_s=60))
    assert found == RecordingTime(expected, TimeSource.GUANO)


def test_a_song_meter_states_the_time_in_its_own_chunk(tmp_path: Path) -> None:
    """Of the forms that Wildlife Acoustics writes, one has a zone: 05:10 at -05:00 is 10:10 UTC."""
    name = tmp_path / "SM4_20260511_000000.wav"
    found = recording_time(write_wav(name, behind=wamd("2026-05-12 05:10:00-05:00")))
    assert found == RecordingTime(MORNING + timedelta(hours=5), TimeSource.WAMD)
    found = recording_time(write_wav(name, wamd("2026-05-12 05:10:00.000")))
    assert found == RecordingTime(MORNING - BERLIN_H, TimeSource.WAMD)


@pytest.mark.parametrize(("day", "clock"), [("2026-05-12", "05:10:00"), ("2026:05:12", "05-10-00")])
def test_a_broadcast_wave_chunk_is_local_time(tmp_path: Path, day: str, clock: str) -> None:
    found = recording_time(write_wav(tmp_path / "ZOOM0001.WAV", bext(day, clock)))
    assert found == RecordingTime(MORNING - BERLIN_H, TimeSource.BEXT)


def test_a_comment_in_utf_16_is_read(tmp_path: Path) -> None:
    """An ID3 tag of version 2.3 may be written so."""
    path = tmp_path / "a.mp3"
    text = AUDIOMOTH.format(zone="UTC").encode("utf-16")
    path.write_bytes(b"ID3\x03\0\0\0\0\x02\x01" + b"COMM" + text + bytes(100))
    assert recording_time(path) == RecordingTime(MORNING, TimeSource.COMMENT)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_is_read_in_each_format_and_byte_order(
    tmp_path: Path, suffix: str, order: str
) -> None:
    """The tag is local time, or that of the offset beside it: 05:10 at -03:00 is 08:10 UTC."""
    path = tmp_path / f"IMG_20260511_000000{suffix}"
    found = recording_time(write_photograph(path, exif("2026:05:12 05:10:00", order=order)))
    assert found == RecordingTime(MORNING - BERLIN_H, TimeSource.EXIF)
    found = recording_time(write_photograph(path, exif("2026:05:12 05:10:00", "-03:00", order)))
    assert found == RecordingTime(MORNING + timedelta(hours=3), TimeSource.EXIF)


def test_an_exif_date_that_was_not_set_is_passed_over(tmp_path: Path) -> None:
    path = write_photograph(tmp_path / "IMG_20260512_051000.jpg", exif("0000:00:00 00:00:00"))
    assert recording_time(path) == RecordingTime(MORNING - BERLIN_H, TimeSource.NAME)


@pytest.mark.parametrize(
    "name",
    [
        "20260512_051000",  # AudioMoth
        "SM4_20260512_051000",
        "S4A0_0+1_20260512$051000",  # Song Meter SM3
        "VID_20260512_051000",
        "Camera_00_20260512051000",  # Reolink
        "2026-05-12_05-10-00",
        "2026-05-12 05.10.00-1",
        "WhatsApp Ptt 2026-05-12 at 05.10.00",
        "Blue_Jay-91-2026-05-12-birdnet-05:10:00",  # BirdNET-Pi
        "2026-05-12-birdnet-RTSP_1-05:10:00",
        "20260512T051000",
    ],
)
def test_a_name_without_a_zone_is_local_time(name: str) -> None:
    assert time_in_name(name) == MORNING - BERLIN_H


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("20260512T051000Z", 0),
        ("20260512T051000+1000_REC", 10),  # Frontier Labs
        ("Swift_20260512_051000-0400", -4),
        ("PXL_20260512_051000123", 0),  # Google's phones write UTC, with milliseconds
        ("6A02B548", 0),  # 1,778,562,376 s since 1970: 05:06:16 UTC, as an AudioMoth once named it
    ],
)
def test_a_name_may_state_its_zone(name: str, hours: float) -> None:
    early = timedelta(seconds=224) if len(name) == 8 else timedelta()
    assert time_in_name(name) == MORNING - timedelta(hours=hours) - early


@pytest.mark.parametrize(
    "name", ["song", "XC123456", "20261312_051000", "20260512_256000", "IMG-20260512-WA0001"]
)
def test_other_names_state_no_time(name: str) -> None:
    assert time_in_name(name) is None


def test_tags_count_less_than_the_name(tmp_path: Path) -> None:
    """A converter writes them: the RIFF tag ICRD, and the seconds since 1904 of an MP4 file.

    1904 to 2026-05-12 are 122 years with 31 leap days, 44,561 days, and 131 days: 44,692 days and
    05:10 hours are 3,861,407,400 s.
    """
    date = info(ICRD="2026-05-12T05:10:00Z")
    found = recording_time(write_wav(tmp_path / "a.wav", date))
    assert found == RecordingTime(MORNING, TimeSource.TAG)
    found = recording_time(write_wav(tmp_path / "2026-05-10_00-00-00.wav", date))
    assert found is not None and found.source is TimeSource.NAME
    film = tmp_path / "a.mp4"
    film.write_bytes(
        b"....ftypmp42....moov....mvhd" + bytes(4) + (3_861_407_400).to_bytes(4, "big") * 2
    )
    assert recording_time(film) == RecordingTime(MORNING, TimeSource.TAG)


@pytest.mark.parametrize(
    ("name", "words"),
    [("19700101_000012", "a clock that was not set"), ("29990101_000000", "in the future")],
)
def test_an_impossible_time_is_logged_and_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, words: str
) -> None:
    assert recording_time(write_wav(tmp_path / f"{name}.wav")) is None
    assert words in caplog.text and "by its name" in caplog.text


def test_files_without_a_time_or_without_content_state_none(tmp_path: Path) -> None:
    assert recording_time(write_wav(tmp_path / "a.wav")) is None
    (tmp_path / "empty.wav").touch()
    assert recording_time(tmp_path / "empty.wav") is None
    assert recording_time(tmp_path / "missing.wav") is None
    assert recording_time(tmp_path) is None
    os.mkfifo(tmp_path / "pipe.wav")
    assert recording_time(tmp_path / "pipe.wav") is None


def test_a_place_in_a_recording_has_its_own_time() -> None:
    began = RecordingTime(MORNING, TimeSource.NAME)
    assert began.at(4.8).start == MORNING + timedelta(seconds=4.8)
    assert began.at(None) == began
