"""Huge pictures: the memory that a station and `identify` take for frames and photographs."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from fault_station import Station
from large_pictures import tall_jpeg, visited_jpegs
from network_cameras import mjpeg_camera

MOST_MB = 300.0  # of resident memory, in MB of 1,000,000 bytes
WATCH_S = 20.0
ROW_PX = 16
CAMERAS_PX = {"4K": (3840, 2160), "8K": (7680, 4320), "16K": (15_360, 8640)}
PHOTOGRAPHS_PX = {"81": (9008, 9008), "108": (12_000, 9008), "200": (16_320, 12_240)}


def send_huge_pictures(folder: Path, bundle: Path, times: int) -> str:
    """Watch cameras of 4K, 8K and 16K, and identify photographs of 81 to 200 megapixels."""
    peaks = {}
    for number in range(times):
        for name, (width, height) in CAMERAS_PX.items():
            jpegs = visited_jpegs(width, height // ROW_PX)
            peaks[name] = _watch(folder / f"{name}-{number}", bundle, jpegs)
    for name, (width, height) in PHOTOGRAPHS_PX.items():
        path = folder / f"{name}.jpg"
        strip = np.random.default_rng(0).integers(0, 255, (1, width // 80, 3)).repeat(80, axis=1)
        strip = np.resize(strip.astype(np.uint8), (ROW_PX, width, 3))
        path.write_bytes(tall_jpeg(strip, height // ROW_PX))
        peaks[f"{name} MP"] = _identify(path, bundle)
    for name, peak_mb in peaks.items():
        assert peak_mb < MOST_MB, f"{name} takes {peak_mb:.0f} MB"
    return ", ".join(f"{name} {peak_mb:.0f} MB" for name, peak_mb in peaks.items())


def _watch(folder: Path, bundle: Path, jpegs: list[bytes]) -> float:
    """Return the peak memory, in MB, of a station with a camera and a microphone."""
    from fault_rounds import write_songs

    folder.mkdir()
    songs = write_songs(folder / "songs.wav", 2 * WATCH_S)
    with (
        mjpeg_camera(jpegs=jpegs) as port,
        Station(folder, bundle, f"http://127.0.0.1:{port}/", songs).running() as station,
    ):
        station.wait_answer("image")
        time.sleep(WATCH_S)
        assert station.count("camera lost") == 0
        return station.peak_mb()


def _identify(path: Path, bundle: Path) -> float:
    """Return the peak memory, in MB, of one answer."""
    command = [sys.executable, "-m", "birdfield", "identify", "--model", str(bundle), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and b"[image]" in process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024 / 1e6
