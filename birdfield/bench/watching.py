"""What `watch` takes of a machine as a process of its own: start, memory, processor."""

import os
import resource
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
import soundfile

from birdfield.bench.stages import CAPTURED_HZ, picture, sound
from birdfield.errors import InputError, MissingError

SCENE_S = 30.0
POLL_S = 0.02
FPS = 5
WIDTH_PX, HEIGHT_PX = 640, 480
SUBJECT_PX = 120  # of what moves in the busy scene, both ways
QUIET = 0.01  # of the busy scene's sound
PROGRAM = (
    sys.executable,
    "-m",
    "birdfield",
    "watch",
    "--json",
    "--fast",
)


@dataclass(frozen=True)
class Footprint:
    """What one `watch` took.

    Attributes:
        cold_start_s: From the start of its process to its first answer; None without one.
        start_cpu_s: The processor time up to then.
        cpu_s: The processor time of its whole life.
        rss_mb: The most memory that was resident, in MB of 1,000,000 bytes.
    """

    cold_start_s: float | None
    start_cpu_s: float
    cpu_s: float
    rss_mb: float


def write_scenes(folder: Path) -> dict[str, tuple[str, str]]:
    """Write a film and a sound of a busy and of an idle scene; returns their paths by scene."""
    still = cv2.resize(picture(), (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)
    subject = still[:SUBJECT_PX, :SUBJECT_PX][::-1] // 3
    paths = {}
    for name, moves, loud in (("busy", True, 1.0), ("idle", False, QUIET)):
        film, song = str(folder / f"{name}.avi"), str(folder / f"{name}.wav")
        writer = cv2.VideoWriter(film, cv2.VideoWriter.fourcc(*"MJPG"), FPS, (WIDTH_PX, HEIGHT_PX))
        rng = np.random.default_rng(0)
        for index in range(round(SCENE_S * FPS)):
            frame = still.copy()
            if moves:  # something dark and patterned hops along the middle
                left = 40 * index % (WIDTH_PX - SUBJECT_PX)
                frame[180 : 180 + SUBJECT_PX, left : left + SUBJECT_PX] = subject
            grain = rng.integers(-3, 4, frame.shape[:2]).astype(np.int16)[..., None]
            writer.write(np.clip(frame + grain, 0, 255).astype(np.uint8))
        writer.release()
        soundfile.write(song, loud * sound(CAPTURED_HZ, SCENE_S), CAPTURED_HZ, subtype="PCM_16")
        paths[name] = (film, song)
    return paths


def watch_once(model: Path, camera: str, microphone: str, threads: int) -> Footprint:
    """Run `watch --fast` on a film and a sound, either of which may be "none".

    Raises:
        MissingError: Where there is no /proc to read of a process.
        InputError: When it fails.
    """
    if not Path("/proc/self/status").exists():
        raise MissingError(
            "bench reads of a process in /proc, which this system lacks; run it on Linux"
        )
    before_s, started_s = _children_cpu_s(), perf_counter()
    cold_start_s, start_cpu_s, rss_mb = None, 0.0, 0.0
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            [*PROGRAM, "--model", str(model), "--camera", camera, "--microphone", microphone],
            stdout=subprocess.PIPE,
            stderr=complaints,
            env={
                **os.environ,
                "BIRDFIELD_THREADS": str(threads),
                # What a user configured of a station is none of a measurement.
                "XDG_CONFIG_HOME": os.devnull,
            },
        ) as process,
    ):
        assert process.stdout  # it is a pipe
        while process.poll() is None:
            ready, _, _ = select.select([process.stdout], [], [], POLL_S)
            rss_mb = max(rss_mb, _peak_mb(process.pid))
            if ready and os.read(process.stdout.fileno(), 65_536) and cold_start_s is None:
                cold_start_s, start_cpu_s = perf_counter() - started_s, _cpu_s(process.pid)
        complaints.seek(0)
        complaint = complaints.read().decode(errors="replace").strip()
    if process.returncode:
        raise InputError(
            f"{model}: watch failed on a scene made for it (exit "
            f"{process.returncode}: {complaint.splitlines()[-1:]})"
        )
    return Footprint(cold_start_s, start_cpu_s, _children_cpu_s() - before_s, rss_mb)


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _cpu_s(pid: int) -> float:
    """Read how long a process has run on any processor (proc(5): fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> float:
    """Read the peak of a process's resident memory; 0 when it has just ended.

    What `getrusage` tells of a child may be its parent's.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    peaks = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(peaks[0].split()[1]) * 1024 / 1e6 if peaks else 0.0


def footprint(
    model: Path, scenes: Mapping[str, tuple[str, str]], window_s: float, threads: int
) -> dict[str, Any]:
    """Measure one model's `watch`: both senses and each alone, busy and idle.

    Processor time is told as a share of one core: after the start, by the scene's time.

    Returns:
        Entries of `bench --json`.

    Raises:
        InputError: When it answers nothing on the busy scene.
    """
    film, song = scenes["busy"]
    both = watch_once(model, film, song, threads)
    if both.cold_start_s is None:
        raise InputError(f"{model}: watch gave no answer on a scene of {SCENE_S:g} s made for it")
    heard = watch_once(model, "none", song, threads)
    seen = watch_once(model, film, "none", threads)
    idle = watch_once(model, *scenes["idle"], threads)
    shares = {
        name: max(found.cpu_s - both.start_cpu_s, 0.0) / (SCENE_S - window_s)
        for name, found in (("busy", both), ("idle", idle))
    }
    return {
        "rss_mb": round(both.rss_mb, 1),
        "cold_start_s": round(both.cold_start_s, 3),
        "watch_rss_mb": {
            "both": round(both.rss_mb, 1),
            "audio": round(heard.rss_mb, 1),
            "image": round(seen.rss_mb, 1),
        },
        "cpu": {name: round(share, 4) for name, share in shares.items()},
    }
