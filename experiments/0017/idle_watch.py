"""Record 0017: processor time and memory of `watch` in quiet and in busy scenes.

    python experiments/0017/idle_watch.py MODEL OUT.csv [SECONDS]

Runs `birdfield watch` with a network camera (MJPEG, 1280x720, 10 frames a second) of a still scene
with sensor noise and PulseAudio with quiet noise or digital silence; then with a scene that always
changes, and a song. Measures the share of one core from SETTLE_S on, when the noise floors are
known, and the resident memory at the end.
"""

import csv
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))
from sound_servers import PulseAudio  # noqa: E402

SIZE_PX, FPS, PICTURES = (1280, 720), 10, 20
SETTLE_S = 45.0
TICKS_HZ = os.sysconf("SC_CLK_TCK")


def pictures(busy: bool) -> list[bytes]:
    """Return JPEGs of one scene with new noise, or of unrelated scenes."""
    rng = np.random.default_rng(0)
    found: list[bytes] = []
    for _ in range(PICTURES):
        if busy or not found:
            scene = cv2.resize(rng.uniform(40, 200, (36, 64, 3)).astype(np.float32), SIZE_PX)
        noisy = np.clip(scene + rng.normal(0, 3, scene.shape), 0, 255).astype(np.uint8)
        found.append(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes())
    return found


@contextmanager
def network_camera(jpegs: list[bytes]) -> Iterator[tuple[int, list[float]]]:
    """Serve pictures; yield the port, and the list of times at which frames were sent."""
    stop = threading.Event()
    sent_s: list[float] = []

    class Stream(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            number = 0
            while not stop.wait(1 / FPS):
                jpeg = jpegs[number % len(jpegs)]
                number += 1
                try:
                    self.wfile.write(
                        b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: "
                        b"%d\r\n\r\n%s\r\n" % (len(jpeg), jpeg)
                    )
                except OSError:
                    return
                sent_s.append(time.monotonic())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Stream)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1], sent_s
    finally:
        stop.set()
        server.shutdown()


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_HZ


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def measure(model: Path, folder: Path, busy: bool, sound: Any, length_s: float) -> list[Any]:
    """Return the share of a core, the megabytes, the frames a second and the observations."""
    if sound is not None:
        soundfile.write(folder / "sound.wav", sound, 16_000)
    pulse = PulseAudio(folder)
    with pulse.running(), network_camera(pictures(busy)) as (port, sent_s):
        player = (
            None
            if sound is None
            else subprocess.Popen(["paplay", str(folder / "sound.wav")], env=pulse.env)
        )
        watch = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "birdfield",
                "watch",
                "--model",
                str(model.resolve()),
                "--camera",
                f"http://127.0.0.1:{port}/",
                "--microphone",
                "default",
                "--json",
            ],
            env=pulse.env,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            time.sleep(SETTLE_S)
            before_s, started_s = cpu_s(watch.pid), time.monotonic()
            time.sleep(length_s)
            passed_s = time.monotonic() - started_s
            share = (cpu_s(watch.pid) - before_s) / passed_s
            rate_hz = sum(started_s <= at_s for at_s in sent_s) / passed_s
            memory_mb = resident_mb(watch.pid)
        finally:
            watch.terminate()
            lines = watch.communicate()[0].splitlines()
            if player is not None:
                player.kill()
                player.wait()
    return [round(share, 4), round(memory_mb), round(rate_hz, 1), len(lines)]


def main() -> None:
    """Measure three scenes."""
    model, out = Path(sys.argv[1]), Path(sys.argv[2])
    length_s = float(sys.argv[3]) if len(sys.argv) > 3 else 60.0
    seconds = np.arange(round((SETTLE_S + length_s + 30) * 16_000)) / 16_000
    hiss = np.random.default_rng(1).normal(0, 0.001, len(seconds))
    chirp = 0.2 * np.sin(2 * np.pi * (3500 + 800 * np.sin(2 * np.pi * 9 * seconds)) * seconds)
    song = hiss + chirp * (seconds % 0.7 < 0.3)
    rows = []
    for scene, busy, sound in (
        ("still, quiet noise", False, hiss),
        ("still, digital silence", False, None),
        ("all moves, a song", True, song),
    ):
        with tempfile.TemporaryDirectory() as folder:
            rows.append([scene, *measure(model, Path(folder), busy, sound, length_s)])
        print(*rows[-1], sep=",", flush=True)
    with out.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["scene", "share_of_core", "resident_mb", "frames_hz", "observations"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
