"""Player: gives the emulated machine a camera and a microphone that see and hear toy birds.

The kernel's vivid driver provides a camera and a screen that a virtual cable connects; its aloop
driver provides a sound card whose other end aplay plays to. A program on the machine opens
/dev/video0 and the first microphone as on a Raspberry Pi. The aviary.service of
tools/arm64/disk.py runs this script as root; it uses the standard library only.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import IO

WIDTH_PX, HEIGHT_PX = 640, 480
FRAME_BYTES = 3 * WIDTH_PX * HEIGHT_PX  # BGR, the format that OpenCV requests
FRAME_HZ = 5
CAMERA, SCREEN = "/dev/video0", "/dev/video1"
PLUG_IN = (
    ("modprobe", "snd-aloop", "index=0"),
    # A camera and a screen with one HDMI socket each.
    (
        "modprobe",
        "vivid",
        "n_devs=1",
        "node_types=0x101",
        "num_inputs=1",
        "input_types=3",
        "num_outputs=1",
        "output_types=1",
    ),
    ("v4l2-ctl", "-d", SCREEN, "--set-dv-bt-timings", "index=0"),  # 640x480
    # With two different formats, the cable transmits noise.
    ("v4l2-ctl", "-d", SCREEN, "--set-fmt-video-out", "pixelformat=BGR3"),
    # The cable. No text in the picture, and 6 of 60 pictures a second: an emulator manages no more.
    (
        "v4l2-ctl",
        "-d",
        CAMERA,
        "--set-ctrl",
        "hdmi_000_0_is_connected_to=2,osd_text_mode=2,percentage_of_dropped_buffers=90",
    ),
    ("v4l2-ctl", "-d", CAMERA, "--set-dv-bt-timings", "index=0"),
)
SHOW = ("v4l2-ctl", "-d", SCREEN, "--stream-out-mmap", "--stream-from=-")


def play(film: Path, song: Path, screen: IO[bytes]) -> None:
    """Show the film and play the song once, in synchrony."""
    singer = subprocess.Popen(["aplay", "-q", "-D", "plughw:Loopback,1,0", str(song)])
    begun_s = time.monotonic()
    with film.open("rb") as frames:
        for number, frame in enumerate(iter(lambda: frames.read(FRAME_BYTES), b"")):
            time.sleep(max(0.0, begun_s + number / FRAME_HZ - time.monotonic()))
            screen.write(frame)
    singer.wait()


def main() -> None:
    """Plug in camera and microphone, or repeat film and song endlessly."""
    if sys.argv[1:] == ["plug-in"]:
        for command in PLUG_IN:
            subprocess.run(command, check=True)
        return
    shown = subprocess.Popen(SHOW, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert shown.stdin is not None  # a pipe
    while True:
        play(Path(sys.argv[1]), Path(sys.argv[2]), shown.stdin)


if __name__ == "__main__":
    main()
