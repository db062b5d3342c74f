import logging

import pytest

from birdfield.capture.supervisor import Outage


def test_an_outage_is_logged_once_and_the_wait_doubles(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    caplog.set_level(logging.INFO)
    outage = Outage("camera", "cam")
    outage.report_recovery()  # the first frame
    assert [outage.report_loss("is unplugged") for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert outage.reason == "is unplugged"
    outage.report_recovery()
    outage.report_recovery()
    assert outage.reason is None
    assert caplog.messages == ["camera lost: cam is unplugged; trying again", "camera is back"]
    now_s[0] += 29
    assert outage.report_loss("is unplugged") == 30, (
        "a camera that fails again soon keeps its long wait"
    )
    outage.report_recovery()
    now_s[0] += 30
    assert outage.report_loss("is unplugged") == 1


def test_a_source_that_never_worked_is_awaited_and_not_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    outage = Outage("camera", "0")
    outage.report_loss("cannot be opened")
    outage.report_recovery()
    outage.report_loss("sends no more frames")
    assert caplog.messages == [
        "waiting for the camera: 0 cannot be opened; trying again",
        "camera found",
        "camera lost: 0 sends no more frames; trying again",
    ]
