"""Thermal: the temperature that counts, and where throttling starts and ends."""

import logging
from pathlib import Path

import pytest

from birdfield.watch.thermal import HeatMonitor, read_celsius


def zone(folder: Path, number: int, text: str) -> None:
    (folder / f"thermal_zone{number}").mkdir(exist_ok=True)
    (folder / f"thermal_zone{number}" / "temp").write_text(text)


def test_the_hottest_readable_zone_counts(tmp_path: Path) -> None:
    assert read_celsius(tmp_path) is None
    zone(tmp_path, 0, "51234\n")
    zone(tmp_path, 1, "48000\n")
    zone(tmp_path, 2, "unknown\n")
    zone(tmp_path, 3, "-274000\n")
    (tmp_path / "thermal_zone4" / "temp").mkdir(parents=True)
    assert read_celsius(tmp_path) == pytest.approx(51.234)


def test_a_machine_is_hot_from_75_until_below_68_degrees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("birdfield.watch.thermal.ZONES", tmp_path)
    caplog.set_level(logging.INFO)
    monitor = HeatMonitor()
    assert not monitor.update(), "a machine without a sensor is not hot"
    hot = []
    for celsius in (74, 75, 70, 68, 67, 74):
        zone(tmp_path, 0, f"{celsius}000")
        hot.append(monitor.update())
    assert hot == [False, True, True, True, False, False]
    assert caplog.messages == [
        "the machine is at 75 degrees Celsius; only every second window is processed",
        "the machine is at 67 degrees Celsius again; every window is processed",
    ]
