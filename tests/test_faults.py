"""A round of faults of a real station: the others are in the tests of their modules."""

from pathlib import Path

import fault_rounds as rounds
import pytest


@pytest.mark.devices
def test_a_camera_that_dies_and_returns_is_in_the_journal(toy_bundle: Path,
                                                          tmp_path: Path) -> None:
    """Meanwhile the microphone goes on."""
    assert rounds.camera_dies(tmp_path, toy_bundle, 1)


def test_a_model_that_is_damaged_while_it_is_used(toy_bundle: Path, tmp_path: Path) -> None:
    assert rounds.model_is_damaged(tmp_path, toy_bundle, 1)
