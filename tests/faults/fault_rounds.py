"""What happens to a field station, each with its figure: used by `make faults` and by the tests.

Each round takes an empty folder, a bundle of the toy aviary and how often, and returns a sentence.
It fails where the other sense did not go on, or the journal's events do not tell of the gap.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import soundfile
from fault_station import Station
from journal_kills import kill_writers
from network_cameras import mjpeg_camera, pipe_camera, rtsp_camera
from sound_servers import PulseAudio, network_microphone

from birdfield.capture.supervisor import HANG_S
from birdfield_train.toy_aviary.scene import Visit, soundtrack
from birdfield_train.toy_aviary.songs import RATE_HZ

BLOCKED_S = 60.0
JUMP_S = 7200.0
SMALL_DISK = Path(__file__).parents[1] / "support" / "small_disk.py"
OTHER = {"camera": "audio", "microphone": "image"}
SENSE = {"camera": "image", "microphone": "audio"}


def sing(path: Path, length_s: float) -> str:
    """Write songs of 5 s with pauses of 3 s; returns the path."""
    count = round(length_s / 8)
    script = tuple(
        Visit(
            index % 6 if sung else None,
            8.0 * index + (0 if sung else 5),
            8.0 * index + (5 if sung else 8),
            "clear",
            "clear",
        )
        for index in range(count)
        for sung in (True, False)
    )
    soundfile.write(path, soundtrack(script, np.random.default_rng(0)), RATE_HZ, "PCM_16")
    return str(path)


@contextmanager
def _heard(server: PulseAudio, song: str) -> Iterator[None]:
    with server.running():
        player = subprocess.Popen(
            ["paplay", song], env=server.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield
        finally:
            player.kill()
            player.wait()


Source = Callable[[], AbstractContextManager[object]]


def _lose(station: Station, sources: dict[str, Source], times: int) -> str:
    """Kill and restart sources so often, all at once, under a station that runs."""
    with ExitStack() as stack:
        alive = [stack.enter_context(source()) for source in sources.values()]
        assert alive
        with station.running():
            for name in sources:
                station.wait_answer(SENSE[name])
            began = {
                kind: station.count(kind)
                for name in OTHER
                for kind in (f"{name} lost", f"{name} back")
            }
            worst_s, weights = 0.0, []
            for number in range(1, times + 1):
                stack.close()
                for name in sources:
                    station.wait_events(f"{name} lost", began[f"{name} lost"] + number)
                if len(sources) == 1:
                    station.wait_answer(OTHER[next(iter(sources))])
                restored_s = time.monotonic()
                for source in sources.values():
                    stack.enter_context(source())
                for name in sources:
                    station.wait_events(f"{name} back", began[f"{name} back"] + number)
                worst_s = max(worst_s, time.monotonic() - restored_s)
                weights.append(station.weight())
            for name in set(OTHER) - set(sources):
                assert station.count(f"{name} lost") == began[f"{name} lost"], f"{name} lost too"
            for name in sources:
                station.wait_answer(SENSE[name])
        reasons = []
        for name in sources:
            told = station.details(f"{name} lost")[began[f"{name} lost"] :]
            assert len(told) == times, f"{name} lost {len(told)} times"
            assert not {"no frame", "no sound"} & set(told), "lost for no reason"
            reasons += sorted(set(told))
    # A thread of PortAudio or FFmpeg may be going just then; one for each loss would be a leak.
    assert weights[-1][1] - weights[0][1] < 4 and weights[-1][2] - weights[0][2] < 4, str(weights)
    carried = "" if len(sources) > 1 else f", {OTHER[next(iter(sources))]} answers in each gap"
    return (
        f"{' and '.join(sources)} lost and back {times} times{carried}; "
        f"told as: {', '.join(reasons)}; "
        f"the return was noticed within {worst_s:.1f} s; MB, threads, descriptors after the "
        f"first: {_told(weights[0])}, after the last: {_told(weights[-1])}"
    )


def _told(weight: tuple[float, int, int]) -> str:
    return f"{weight[0]:.0f}, {weight[1]}, {weight[2]}"


def camera_dies(folder: Path, bundle: Path, times: int) -> str:
    """Kill and restart an RTSP server."""
    with rtsp_camera() as port:
        pass
    station = Station(
        folder, bundle, f"rtsp://127.0.0.1:{port}/bird", sing(folder / "song.wav", 60 + 60 * times)
    )
    return _lose(station, {"camera": lambda: rtsp_camera(port)}, times)


def microphone_dies(folder: Path, bundle: Path, times: int) -> str:
    """Kill and restart a PulseAudio server."""
    song = sing(folder / "song.wav", 300)
    with TemporaryDirectory(prefix="bf") as short, mjpeg_camera(visits=True) as port:
        server = PulseAudio(Path(short))
        station = Station(folder, bundle, f"http://127.0.0.1:{port}/", "default", server.env)
        return _lose(station, {"microphone": lambda: _heard(server, song)}, times)


def network_sound_dies(folder: Path, bundle: Path, times: int) -> str:
    """Kill and restart a server of sound by HTTP."""
    pytest.importorskip("av", reason="PyAV is not installed: birdfield[network]")
    song, rate_hz = soundfile.read(sing(folder / "song.wav", 240), dtype="int16", always_2d=True)
    with network_microphone(song, rate_hz) as port:
        pass
    with mjpeg_camera(visits=True) as camera:
        station = Station(
            folder, bundle, f"http://127.0.0.1:{camera}/", f"http://127.0.0.1:{port}/"
        )
        return _lose(
            station, {"microphone": lambda: network_microphone(song, rate_hz, port)}, times
        )


def both_die(folder: Path, bundle: Path, times: int) -> str:
    """Kill and restart both servers at once."""
    song = sing(folder / "song.wav", 300)
    with rtsp_camera() as port:
        pass
    with TemporaryDirectory(prefix="bf") as short:
        server = PulseAudio(Path(short))
        station = Station(folder, bundle, f"rtsp://127.0.0.1:{port}/bird", "default", server.env)
        return _lose(
            station,
            {"camera": lambda: rtsp_camera(port), "microphone": lambda: _heard(server, song)},
            times,
        )


def read_blocks(folder: Path, bundle: Path, times: int) -> str:
    """Let a read of the camera block for a minute, which no timeout of FFmpeg ends."""
    pipe = folder / "camera"
    station = Station(
        folder, bundle, f"file://{pipe}", sing(folder / "song.wav", 120 + 200 * times)
    )
    heard = 0
    with ExitStack() as stack:
        stop = stack.enter_context(pipe_camera(pipe))
        with station.running():
            for number in range(1, times + 1):
                station.wait_answer("image")
                before = station.answers("audio")
                stop()
                station.wait_events("camera lost", number)
                time.sleep(BLOCKED_S)  # the fault itself
                heard += station.answers("audio") - before
                stack.close()
                stop = stack.enter_context(pipe_camera(pipe))
                station.wait_events("camera back", number)
    assert heard
    told = station.details("camera still lost")
    assert told == [f"has hung for {HANG_S:g} s"] * times, str(told)
    return f"a read blocked for {BLOCKED_S:g} s {times} times; {heard} answers by sound meanwhile"


def clock_jumps(folder: Path, bundle: Path, times: int) -> str:
    """Set the wall clock 2 h forward and back."""
    with mjpeg_camera(visits=True) as port:
        station = Station(
            folder, bundle, f"http://127.0.0.1:{port}/", sing(folder / "song.wav", 120 + 60 * times)
        )
        with station.running():
            station.wait(lambda: bool(station.rows(events=False)), "a visit")
            first = datetime.fromisoformat(station.rows(events=False)[0]["started"])
            for number in range(1, 2 * times + 1):
                station.set_clock(JUMP_S * (number % 2))
                station.wait_events("clock jumped", number)
                now = datetime.fromisoformat(station.rows(events=False)[0]["started"])
                moved_s = (now - first).total_seconds()
                assert abs(moved_s - JUMP_S * (number % 2)) < 2, f"visits moved by {moved_s} s"
                for sense in SENSE.values():
                    station.wait_answer(sense)
    return f"{2 * times} jumps of 2 h: each in the events, earlier visits corrected within 2 s"


def model_is_damaged(folder: Path, bundle: Path, times: int) -> str:
    """Overwrite and empty the files of the model while they are used."""
    for number in range(times):
        copy = copytree(bundle, folder / f"{number}.birdfield")
        with mjpeg_camera(visits=True) as port:
            station = Station(
                folder / str(number),
                copy,
                f"http://127.0.0.1:{port}/",
                sing(folder / "song.wav", 120),
            )
            with station.running():
                for damage in (os.urandom(100_000), b""):
                    for sense in SENSE.values():
                        station.wait_answer(sense)
                    for path in copy.glob("*.tflite"):
                        path.write_bytes(damage)
                for sense in SENSE.values():
                    station.wait_answer(sense)
            with_damage = subprocess.run(
                station._command, capture_output=True, text=True, timeout=60
            )
        assert with_damage.returncode == 1, with_damage.stderr
        assert "Traceback" not in with_damage.stderr
    return f"{times} times: both senses went on; the next start refused the model in a sentence"


def disk_is_full(folder: Path, bundle: Path, times: int) -> str:
    """Fill and free a file system of 4 MB."""
    for _ in range(times):
        folder.mkdir(exist_ok=True)
        done = subprocess.run(
            [
                "unshare",
                "-Urm",
                "sh",
                "-c",
                'mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@"',
                str(folder),
                sys.executable,
                str(SMALL_DISK),
                str(folder),
            ],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout)
        assert seen["full"] and seen["check"] == "ok" and seen["freed"]["visits"] == 120
        assert seen["freed"]["events"] == ["started", "disk full", "disk has room", "stopped"]
    return f"{times} times full and freed: 0 of {120 * times} visits lost, evidence paused and back"


def writer_is_killed(folder: Path, bundle: Path, times: int) -> str:
    """Kill the journal's writer at random moments."""
    figures = kill_writers(folder, times, seed=0)
    assert not figures.corrupt and not figures.lost, str(figures)
    return (
        f"{figures.kills} kills: {figures.corrupt} corrupt, {figures.lost} of "
        f"{figures.committed} committed visits lost"
    )
