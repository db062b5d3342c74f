"""Fault rounds: faults of sources, clock, disk and model against a real station.

A round gets an empty folder, a bundle of the toy aviary and the number of times, and returns a
sentence with its figures. It fails unless the other sense continues, and the events of the journal
show the gap.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import soundfile
from fault_station import Station, Usage
from journal_kills import kill_writers
from network_cameras import mjpeg_camera, pipe_camera, rtsp_camera
from sound_servers import PulseAudio, network_microphone

from birdfield.capture.supervisor import HANG_S
from birdfield_train.toy_aviary.scene import Visit, soundtrack
from birdfield_train.toy_aviary.songs import RATE_HZ

BLOCKED_S = 60.0
JUMP_S = 7200.0
SMALL_DISK = Path(__file__).parents[1] / "support" / "small_disk.py"
OTHER_SENSE = {"camera": "audio", "microphone": "image"}
SENSE = {"camera": "image", "microphone": "audio"}


def write_songs(path: Path, length_s: float) -> str:
    """Write songs of 5 s with pauses of 3 s, and return the path."""
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
def _playing(server: PulseAudio, songs: str) -> Iterator[None]:
    with server.running(), server.playing(Path(songs)):
        yield


Source = Callable[[], AbstractContextManager[object]]


@dataclass
class _Losses:
    """Sources that are lost and restored together under a station.

    Attributes:
        station: The station, which is running.
        sources: What runs each source, by "camera" or "microphone".
        before: The numbers of events of each kind before the first loss.
        usages: What the process used after each return.
        longest_s: The longest time from the return of the sources to the event.
    """

    station: Station
    sources: dict[str, Source]
    before: dict[str, int]
    usages: list[Usage] = field(default_factory=list)
    longest_s: float = 0.0

    def lose(self, stack: ExitStack, number: int) -> None:
        """Stop the sources in a stack for the n-th time, wait for the events, and restart them."""
        stack.close()
        self._wait_events("lost", number)
        if len(self.sources) == 1:
            self.station.wait_answer(OTHER_SENSE[next(iter(self.sources))])
        restored_s = time.monotonic()
        for source in self.sources.values():
            stack.enter_context(source())
        self._wait_events("back", number)
        self.longest_s = max(self.longest_s, time.monotonic() - restored_s)
        self.usages.append(self.station.usage())

    def _wait_events(self, change: str, number: int) -> None:
        for name in self.sources:
            kind = f"{name} {change}"
            self.station.wait_events(kind, self.before[kind] + number)

    def check(self, times: int) -> list[str]:
        """Check the events and the process after the last return; return the reasons of losses."""
        for name in set(SENSE) - set(self.sources):
            kind = f"{name} lost"
            assert self.station.count(kind) == self.before[kind], f"{name} lost too"
        reasons = []
        for name in self.sources:
            details = self.station.details(f"{name} lost")[self.before[f"{name} lost"] :]
            assert len(details) == times, f"{name} lost {len(details)} times"
            assert not {"no frame", "no sound"} & set(details), "lost without a reason"
            reasons += sorted(set(details))
        # A thread of PortAudio or FFmpeg may be ending just then; one for each loss is a leak.
        first, last = self.usages[0], self.usages[-1]
        assert last.threads - first.threads < 4, str(self.usages)
        assert last.descriptors - first.descriptors < 4, str(self.usages)
        return reasons


def _lose(station: Station, sources: dict[str, Source], times: int) -> str:
    """Run a station, and stop and restart some of its sources together, a number of times."""
    with ExitStack() as stack:
        for source in sources.values():
            stack.enter_context(source())
        with station.running():
            for name in sources:
                station.wait_answer(SENSE[name])
            kinds = [f"{name} {change}" for name in SENSE for change in ("lost", "back")]
            losses = _Losses(station, sources, {kind: station.count(kind) for kind in kinds})
            for number in range(1, times + 1):
                losses.lose(stack, number)
            for name in sources:
                station.wait_answer(SENSE[name])
        reasons = losses.check(times)
    other = OTHER_SENSE[next(iter(sources))]
    answers = "" if len(sources) > 1 else f", {other} answers in each gap"
    return (
        f"{' and '.join(sources)} lost and back {times} times{answers}; "
        f"reasons: {', '.join(reasons)}; "
        f"the return was noticed within {losses.longest_s:.1f} s; after the first time "
        f"{losses.usages[0]}, after the last time {losses.usages[-1]}"
    )


def kill_camera(folder: Path, bundle: Path, times: int) -> str:
    """Kill and restart an RTSP server."""
    with rtsp_camera() as port:
        pass
    station = Station(
        folder,
        bundle,
        f"rtsp://127.0.0.1:{port}/bird",
        write_songs(folder / "song.wav", 60 + 60 * times),
    )
    return _lose(station, {"camera": lambda: rtsp_camera(port)}, times)


def kill_microphone(folder: Path, bundle: Path, times: int) -> str:
    """Kill and restart a PulseAudio server."""
    songs = write_songs(folder / "song.wav", 300)
    with TemporaryDirectory(prefix="bf") as short, mjpeg_camera(visits=True) as port:
        server = PulseAudio(Path(short))
        station = Station(folder, bundle, f"http://127.0.0.1:{port}/", "default", server.env)
        return _lose(station, {"microphone": lambda: _playing(server, songs)}, times)


def kill_network_sound(folder: Path, bundle: Path, times: int) -> str:
    """Kill and restart a network microphone."""
    pytest.importorskip("av", reason="PyAV is not installed: birdfield[network]")
    song, rate_hz = soundfile.read(
        write_songs(folder / "song.wav", 240), dtype="int16", always_2d=True
    )
    with network_microphone(song, rate_hz) as port:
        pass
    with mjpeg_camera(visits=True) as camera:
        station = Station(
            folder, bundle, f"http://127.0.0.1:{camera}/", f"http://127.0.0.1:{port}/"
        )
        return _lose(
            station, {"microphone": lambda: network_microphone(song, rate_hz, port)}, times
        )


def spoil_sound(folder: Path, bundle: Path, times: int) -> str:
    """Send sound with a sample that is not finite, or far beyond full scale, in each second."""
    pytest.importorskip("av", reason="PyAV is not installed: birdfield[network]")
    songs, rate_hz = soundfile.read(
        write_songs(folder / "song.wav", 240), dtype="float32", always_2d=True
    )
    refused = 0
    for number, sample in enumerate((np.nan, np.inf, 1e20) * times):
        songs[::rate_hz] = sample
        with network_microphone(songs, rate_hz) as port:
            station = Station(folder / str(number), bundle, "none", f"http://127.0.0.1:{port}/")
            with station.running():
                for _ in range(3):
                    station.wait_answer("audio")
            (detail,) = station.details("sound refused")
            refused += int(detail.split()[0])
            assert not station.count("microphone lost"), station.details("microphone lost")
    return f"{3 * times} times, {refused} blocks refused: the sound between them is answered"


def kill_both(folder: Path, bundle: Path, times: int) -> str:
    """Kill and restart an RTSP server and a PulseAudio server together."""
    songs = write_songs(folder / "song.wav", 300)
    with rtsp_camera() as port:
        pass
    with TemporaryDirectory(prefix="bf") as short:
        server = PulseAudio(Path(short))
        station = Station(folder, bundle, f"rtsp://127.0.0.1:{port}/bird", "default", server.env)
        return _lose(
            station,
            {"camera": lambda: rtsp_camera(port), "microphone": lambda: _playing(server, songs)},
            times,
        )


def block_read(folder: Path, bundle: Path, times: int) -> str:
    """Block a read of the camera for a minute; no timeout of FFmpeg ends it."""
    pipe = folder / "camera"
    station = Station(
        folder, bundle, f"file://{pipe}", write_songs(folder / "song.wav", 120 + 200 * times)
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
    details = station.details("camera still lost")
    assert details == [f"has hung for {HANG_S:g} s"] * times, str(details)
    return f"a read blocked for {BLOCKED_S:g} s {times} times; {heard} answers by sound meanwhile"


def set_clock(folder: Path, bundle: Path, times: int) -> str:
    """Set the wall clock ahead by 2 h and back."""
    with mjpeg_camera(visits=True) as port:
        station = Station(
            folder,
            bundle,
            f"http://127.0.0.1:{port}/",
            write_songs(folder / "song.wav", 120 + 60 * times),
        )
        with station.running():
            station.wait(lambda: bool(station.visits()), "a visit")
            first = station.visits()[0].started
            for number in range(1, 2 * times + 1):
                station.set_clock(JUMP_S * (number % 2))
                station.wait_events("clock jumped", number)
                now = station.visits()[0].started
                moved_s = (now - first).total_seconds()
                assert abs(moved_s - JUMP_S * (number % 2)) < 2, f"visits moved by {moved_s} s"
                for sense in SENSE.values():
                    station.wait_answer(sense)
    return f"{2 * times} jumps of 2 h: each in the events, earlier visits corrected within 2 s"


def damage_model(folder: Path, bundle: Path, times: int) -> str:
    """Overwrite and truncate the files of the model while they are used."""
    for number in range(times):
        copy = copytree(bundle, folder / f"{number}.birdfield")
        with mjpeg_camera(visits=True) as port:
            station = Station(
                folder / str(number),
                copy,
                f"http://127.0.0.1:{port}/",
                write_songs(folder / "song.wav", 120),
            )
            with station.running():
                for damage in (os.urandom(100_000), b""):
                    for sense in SENSE.values():
                        station.wait_answer(sense)
                    for path in copy.glob("*.tflite"):
                        path.write_bytes(damage)
                for sense in SENSE.values():
                    station.wait_answer(sense)
            restarted = subprocess.run(station.command, capture_output=True, text=True, timeout=60)
        assert restarted.returncode == 1, restarted.stderr
        assert "Traceback" not in restarted.stderr
    return f"{times} times: both senses continued; the next start refused the model in a sentence"


def fill_disk(folder: Path, bundle: Path, times: int) -> str:
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
        found = json.loads(done.stdout)
        assert found["full"] and found["check"] == "ok" and found["freed"]["visits"] == 120
        assert found["freed"]["events"] == ["started", "disk full", "disk has room", "stopped"]
    return (
        f"{times} times full and freed: 0 of {120 * times} visits lost, evidence stops and resumes"
    )


def kill_writer(folder: Path, bundle: Path, times: int) -> str:
    """Kill the journal's writer at random moments."""
    figures = kill_writers(folder, times, seed=0)
    assert not figures.corrupt and not figures.lost, str(figures)
    return (
        f"{figures.kills} kills: {figures.corrupt} corrupt, {figures.lost} of "
        f"{figures.committed} committed visits lost"
    )
