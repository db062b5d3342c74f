"""Liveness monitor: a watch that stalls ends, and a service manager restarts it."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from liveness import start_monitor
from recorder_scene import window
from service_manager import run_once
from waiting import wait_for

from birdfield.errors import UsageError
from birdfield.model.audio_specs import YAMNET
from birdfield.service.liveness import stall_timeout_s
from birdfield.service.sd_notify import watchdog_s

# A watch whose analysis, or whose whole process, hangs at its third window, but only once.
HANGING = """
import os, pathlib, signal, sys, threading
from birdfield.watch import scene
from birdfield.commands.app import main

hung, what = pathlib.Path(sys.argv.pop(1)), sys.argv.pop(1)
observe, count = scene.SceneWatcher._observe, 0

def hang(self, *arguments):
    global count
    count += 1
    if count == 3 and not hung.exists():
        hung.touch()
        if what == "process":
            os.kill(os.getpid(), signal.SIGSTOP)
        threading.Event().wait()
    return observe(self, *arguments)

scene.SceneWatcher._observe = hang
main()
"""


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of 20 s of noise: seven windows."""
    path = tmp_path_factory.mktemp("song") / "song.wav"
    sound = np.random.default_rng(0).normal(0, 0.1, 20 * YAMNET.rate_hz).clip(-1, 1)
    soundfile.write(path, sound, YAMNET.rate_hz)
    return path


def hanging(what: str, model: Path, song: Path, folder: Path) -> list[str]:
    """Return the command of a watch whose "analysis" or "process" hangs once."""
    return [
        sys.executable,
        "-c",
        HANGING,
        str(folder / "hung"),
        what,
        "watch",
        "--model",
        str(model),
        "--camera",
        "none",
        "--microphone",
        str(song),
        "--fast",
    ]


@pytest.mark.slow
def test_a_stalled_analysis_thread_ends_in_a_restart(
    toy_bundle: Path, song: Path, tmp_path: Path
) -> None:
    """The watch ends itself before the manager's timeout, and its second run is complete."""
    command = hanging("analysis", toy_bundle, song, tmp_path)
    first = run_once(command, tmp_path, 8.0, environment={"BIRDFIELD_WATCHDOG_S": "2"})
    assert first.ready and first.watchdog_count == 2 and not first.killed
    assert first.exit_code == 4 and "the analysis has stalled for 2 s" in first.log
    assert "in hang" in first.log, "the stack trace"
    second = run_once(command, tmp_path, 30.0)
    assert second.exit_code == 0 and second.watchdog_count >= 7
    assert "STOPPING" in second.messages[-1]
    assert "watching" in second.messages[1]["STATUS"]


@pytest.mark.slow
def test_the_manager_kills_a_process_that_hangs_as_a_whole(
    toy_bundle: Path, song: Path, tmp_path: Path
) -> None:
    """Its own monitor does not run then, but the manager's watchdog does."""
    run = run_once(hanging("process", toy_bundle, song, tmp_path), tmp_path, 2.0)
    assert run.ready and run.watchdog_count == 2 and run.killed and run.exit_code == -9


@pytest.mark.slow
def test_a_monitor_aborts_when_its_ticks_stop(tmp_path: Path) -> None:
    aborts: list[int] = []
    monitor = start_monitor(tmp_path, 1.2, aborts)
    for number in range(30):
        monitor.tick(window(number, seen=0), 0, 0)
        assert not monitor._stop.wait(0.05)
    assert not aborts
    wait_for(lambda: aborts == [1], "the abort")
    monitor.close()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"WATCHDOG_USEC": "2000000"}, 2.0),
        ({"WATCHDOG_USEC": "x"}, None),
        ({}, None),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}, 2.0),
    ],
)
def test_the_watchdog_timeout_is_that_of_this_process(
    environment: dict[str, str], expected: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID", "BIRDFIELD_WATCHDOG_S"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert watchdog_s() == expected
    assert stall_timeout_s() == (None if expected is None else 1.5)
    monkeypatch.setenv("BIRDFIELD_WATCHDOG_S", "soon")
    with pytest.raises(UsageError, match="BIRDFIELD_WATCHDOG_S is 'soon'; expected a number"):
        stall_timeout_s()
