"""Watching: measures the start, the memory and the processor time of a watch process."""

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
from typing import IO

import cv2
import numpy as np
import soundfile

from birdfield.bench.stages import CAPTURED_HZ, picture, sound
from birdfield.errors import InputError, MissingError

SCENE_S = 30.0
POLL_S = 0.02
FPS = 5
WIDTH_PX, HEIGHT_PX = 640, 480
SUBJECT_PX = 120  # side of the moving square in the busy scene
TOP_PX, STEP_PX = 180, 40  # the square's top, and how far it moves in each frame
IDLE_GAIN = 0.01  # of the sound in the idle scene
PROGRAM = (sys.executable, "-m", "birdfield", "watch", "--json", "--fast")


@dataclass(frozen=True)
class Scene:
    """The files of a scene; "none" leaves a sense out."""

    video: str
    sound: str


@dataclass(frozen=True)
class Footprint:
    """The cost of one watch process.

    Attributes:
        cold_start_s: The time from its start to its first answer; None without an answer.
        start_cpu_s: The processor time until then.
        cpu_s: The processor time of the whole process.
        rss_mb: The peak of resident memory, in MB of 1,000,000 bytes.
    """

    cold_start_s: float | None
    start_cpu_s: float
    cpu_s: float
    rss_mb: float


@dataclass(frozen=True)
class WatchFigures:
    """The cost of watching with a model.

    Attributes:
        cold_start_s: The time from the start of the process to its first answer.
        rss_mb: The peak of resident memory in MB, by senses.
        busy_cpu: The share of one core in a busy scene, after the start.
        idle_cpu: The share of one core in an idle scene, after the start.
    """

    cold_start_s: float
    rss_mb: Mapping[str, float]
    busy_cpu: float
    idle_cpu: float

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "rss_mb": round(self.rss_mb["both"], 1),
            "cold_start_s": round(self.cold_start_s, 3),
            "watch_rss_mb": {senses: round(value, 1) for senses, value in self.rss_mb.items()},
            "cpu": {"busy": round(self.busy_cpu, 4), "idle": round(self.idle_cpu, 4)},
        }


def write_scenes(folder: Path) -> dict[str, Scene]:
    """Write the video and the sound of a busy and of an idle scene."""
    still = cv2.resize(picture(), (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)
    scenes = {}
    for name, moving, gain in (("busy", True, 1.0), ("idle", False, IDLE_GAIN)):
        scene = Scene(str(folder / f"{name}.avi"), str(folder / f"{name}.wav"))
        _write_video(scene.video, np.asarray(still, np.uint8), moving)
        waveform = gain * sound(CAPTURED_HZ, SCENE_S)
        soundfile.write(scene.sound, waveform, CAPTURED_HZ, subtype="PCM_16")
        scenes[name] = scene
    return scenes


def _write_video(path: str, still: np.ndarray, moving: bool) -> None:
    subject = still[:SUBJECT_PX, :SUBJECT_PX][::-1] // 3  # dark and patterned
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), FPS, (WIDTH_PX, HEIGHT_PX))
    rng = np.random.default_rng(0)
    for index in range(round(SCENE_S * FPS)):
        frame = still.copy()
        if moving:
            left = STEP_PX * index % (WIDTH_PX - SUBJECT_PX)
            frame[TOP_PX : TOP_PX + SUBJECT_PX, left : left + SUBJECT_PX] = subject
        grain = rng.integers(-3, 4, frame.shape[:2]).astype(np.int16)[..., None]
        writer.write(np.clip(frame + grain, 0, 255).astype(np.uint8))
    writer.release()


def watch_once(model: Path, scene: Scene, threads: int) -> Footprint:
    """Watch a scene as fast as possible, in a process.

    Raises:
        MissingError: When the system has no /proc.
        InputError: When the process fails.
    """
    if not Path("/proc/self/status").exists():
        raise MissingError(
            "this system has no /proc, which the memory of a process is read from; use Linux"
        )
    before_s, started_s = _children_cpu_s(), perf_counter()
    with tempfile.TemporaryFile() as log, _start_watch(model, scene, threads, log) as process:
        assert process.stdout  # it is a pipe
        cold_start_s, start_cpu_s, rss_mb = None, 0.0, 0.0
        while process.poll() is None:
            ready, _, _ = select.select([process.stdout], [], [], POLL_S)
            rss_mb = max(rss_mb, _peak_mb(process.pid))
            if ready and os.read(process.stdout.fileno(), 65_536) and cold_start_s is None:
                cold_start_s, start_cpu_s = perf_counter() - started_s, _cpu_s(process.pid)
        log.seek(0)
        last = log.read().decode(errors="replace").strip().splitlines()[-1:]
    if process.returncode:
        raise InputError(
            f"{model}: watching a generated scene failed (exit {process.returncode}: {last})"
        )
    return Footprint(cold_start_s, start_cpu_s, _children_cpu_s() - before_s, rss_mb)


def _start_watch(
    model: Path, scene: Scene, threads: int, log: IO[bytes]
) -> "subprocess.Popen[bytes]":
    options = ["--model", str(model), "--camera", scene.video, "--microphone", scene.sound]
    environment = {
        **os.environ,
        "BIRDFIELD_THREADS": str(threads),
        "XDG_CONFIG_HOME": os.devnull,  # ignores the user's configuration
    }
    return subprocess.Popen(
        [*PROGRAM, *options], stdout=subprocess.PIPE, stderr=log, env=environment
    )


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _cpu_s(pid: int) -> float:
    """Return the processor time of a process (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> float:
    """Return the peak of a process's resident memory; 0 when the process has just ended.

    `getrusage` may report the peak of the parent instead.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    peaks = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(peaks[0].split()[1]) * 1024 / 1e6 if peaks else 0.0


def measure_watch(
    model: Path, scenes: Mapping[str, Scene], window_s: float, threads: int
) -> WatchFigures:
    """Measure a watch by both senses, busy and idle, and by each sense alone.

    Args:
        model: The bundle.
        scenes: From `write_scenes`.
        window_s: The length of a window of the model.
        threads: Threads of each interpreter.

    Raises:
        InputError: When there is no answer in the busy scene.
    """
    busy = scenes["busy"]
    both = watch_once(model, busy, threads)
    if both.cold_start_s is None:
        raise InputError(f"{model}: no answer in a generated scene of {SCENE_S:g} s")
    heard = watch_once(model, Scene("none", busy.sound), threads)
    seen = watch_once(model, Scene(busy.video, "none"), threads)
    idle = watch_once(model, scenes["idle"], threads)
    busy_cpu, idle_cpu = (
        max(found.cpu_s - both.start_cpu_s, 0.0) / (SCENE_S - window_s) for found in (both, idle)
    )
    return WatchFigures(
        both.cold_start_s,
        {"both": both.rss_mb, "audio": heard.rss_mb, "image": seen.rss_mb},
        busy_cpu,
        idle_cpu,
    )
