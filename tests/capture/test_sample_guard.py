import logging

import numpy as np
import pytest

from birdfield.capture.sample_guard import SampleGuard


@pytest.mark.parametrize("sample", [np.nan, np.inf, -np.inf, 1e20, -101.0])
def test_a_block_with_a_sample_that_is_no_sound_becomes_silence(
    sample: float, caplog: pytest.LogCaptureFixture
) -> None:
    guard = SampleGuard()
    spoilt = np.ones((4, 2), np.float32)
    spoilt[2, 1] = sample
    for _ in range(3):
        assert guard.check(spoilt).tolist() == [[0, 0]] * 4
    assert guard.refused == 3
    assert [record.levelno for record in caplog.records] == [logging.WARNING], "logged once"


@pytest.mark.parametrize("sample", [0.0, 1.0, -4.0, 100.0])
def test_loud_sound_stays(sample: float) -> None:
    guard = SampleGuard()
    block = np.full((4, 1), sample, np.float32)
    assert guard.check(block) is block and guard.refused == 0


def test_an_empty_block_is_sound() -> None:
    assert len(SampleGuard().check(np.zeros((0, 1), np.float32))) == 0
