"""Faults: one round against real stations; `make faults` runs all of them many times."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fault_rounds as rounds
import pytest


@pytest.mark.slow
@pytest.mark.devices
def test_a_station_survives_lost_sources_and_damage(toy_bundle: Path, tmp_path: Path) -> None:
    """The three faults run at once, each with its own station, because they mostly wait."""
    faults = rounds.kill_camera, rounds.kill_network_sound, rounds.damage_model
    with ThreadPoolExecutor() as pool:
        running = []
        for fault in faults:
            folder = tmp_path / fault.__name__
            folder.mkdir()
            running.append(pool.submit(fault, folder, toy_bundle, 1))
        assert all(future.result() for future in running)
