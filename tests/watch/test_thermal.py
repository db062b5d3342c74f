import logging
from pathlib import Path

import pytest

from birdfield.watch.thermal import Heat, read_celsius


def zone(folder: Path, number: int, text: str) -> None:
    (folder / f"thermal_zone{number}").mkdir(exist_ok=True)
    (folder / f"thermal_zone{number}" / "temp").write_text(text)


def test_the_hottest_zone_that_tells_a_temperature_counts(tmp_path: Path) -> None:
    assert read_celsius(tmp_path) is None
    zone(tmp_path, 0, "51234\n")
    zone(tmp_path, 1, "48000\n")
    zone(tmp_path, 2, "none of your business\n")
    zone(tmp_path, 3, "-274000\n")
    (tmp_path / "thermal_zone4" / "temp").mkdir(parents=True)
    assert read_celsius(tmp_path) == pytest.approx(51.234)


def test_heat_begins_at_75_and_ends_below_68(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("birdfield.watch.thermal.ZONES", tmp_path)
    caplog.set_level(logging.INFO)
    heat = Heat()
    assert not heat.update(), "a machine that tells nothing is not hot"
    hot = []
    for celsius in (74, 75, 70, 68, 67, 74):
        zone(tmp_path, 0, f"{celsius}000")
        hot.append(heat.update())
    assert hot == [False, True, True, True, False, False]
    assert caplog.messages == [
        "the machine is at 75 degrees Celsius; every second window is left out",
        "the machine is at 67 degrees Celsius again; no window is left out",
    ]
