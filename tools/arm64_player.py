"""Play the toy aviary to a machine that has no camera and microphone: as root, in the machine.

The kernel's vivid driver is a camera on whose other end this script writes pictures, and its aloop
driver a sound card on whose other end aplay plays: what runs on the machine opens /dev/video0 and
its first sound card, as on a Pi. See tools/arm64_season.py.
"""

import subprocess
import sys
import time
from pathlib import Path

WIDTH_PX, HEIGHT_PX = 640, 480
FRAME_BYTES = 2 * WIDTH_PX * HEIGHT_PX  # YUYV
FRAME_HZ = 5
CAMERA, SCREEN = "/dev/video0", "/dev/video1"  # vivid's two ends
CABLE = ("--set-dv-bt-timings", f"width={WIDTH_PX},height={HEIGHT_PX},interlaced=0,index=0")


def plug_in() -> None:
    """Load the drivers and put the cables in."""
    # A camera and a screen, of one HDMI socket each.
    subprocess.run(["modprobe", "vivid", "n_devs=1", "node_types=0x101", "num_inputs=1",
                    "input_types=3", "num_outputs=1", "output_types=1"], check=True)
    subprocess.run(["modprobe", "snd-aloop", "index=0"], check=True)


def play(film: Path, song: Path) -> None:
    """Show the film and play the song once, in step."""
    singer = subprocess.Popen(["aplay", "-q", "-D", "plughw:Loopback,1,0", str(song)])
    begun_s = time.monotonic()
    with film.open("rb") as frames, open(SCREEN, "wb", buffering=0) as screen:
        for number, frame in enumerate(iter(lambda: frames.read(FRAME_BYTES), b"")):
            time.sleep(max(0.0, begun_s + number / FRAME_HZ - time.monotonic()))
            screen.write(frame)
    singer.wait()


if __name__ == "__main__":
    plug_in()
    while True:
        play(Path(sys.argv[1]), Path(sys.argv[2]))
