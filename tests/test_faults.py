"""A round of faults of real stations: the others are in the tests of their modules."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fault_rounds as rounds
import pytest


@pytest.mark.slow
@pytest.mark.devices
def test_sources_that_die_and_a_model_that_is_damaged(toy_bundle: Path, tmp_path: Path) -> None:
    """Camera, sound of the network, model: a station each, all at once, as they mostly wait."""
    faults = rounds.camera_dies, rounds.network_sound_dies, rounds.model_is_damaged
    with ThreadPoolExecutor() as pool:
        running = []
        for fault in faults:
            folder = tmp_path / fault.__name__
            folder.mkdir()
            running.append(pool.submit(fault, folder, toy_bundle, 1))
        assert all(future.result() for future in running)
