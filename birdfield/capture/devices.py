"""What this machine can see and hear with: cameras and microphones, by the names to give."""

import fcntl
import os
import struct
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from birdfield.capture.microphone import load_sounddevice, stable_name

# Of linux/videodev2.h: VIDIOC_QUERYCAP, where it tells device_caps, and those of a camera.
QUERY_CAPABILITIES, CAPABILITIES_BYTES, DEVICE_CAPABILITIES_AT = 0x80685600, 104, 88
CAPTURES = 0x1 | 0x1000


@dataclass(frozen=True)
class Device:
    """A device.

    Attributes:
        kind: "camera" or "microphone".
        use: What to give to --camera or --microphone.
        name: What it calls itself.
        rate_hz: Of a microphone; None of a camera.
    """

    kind: str
    use: str
    name: str
    rate_hz: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the form of `devices --json`."""
        return asdict(self)

    def to_line(self) -> str:
        """Write it for a person."""
        rate = f", {self.rate_hz:g} Hz" if self.rate_hz else ""
        return f"--{self.kind} {self.use}  ({self.name}{rate})"


def list_cameras(root: Path = Path("/")) -> list[Device]:
    """List video devices, by a path that stays the same over a start where there is one."""
    stable = {
        path.resolve().name: path
        for path in sorted((root / "dev/v4l/by-id").glob("*"), reverse=True)
    }
    found = []
    for path in sorted((root / "sys/class/video4linux").glob("video*")):
        try:
            if (path / "index").read_text().strip() != "0":  # a camera's other streams
                continue
            name = (path / "name").read_text().strip()
        except OSError:
            continue
        if not _takes_pictures(root / "dev" / path.name):
            continue
        use = (
            f"/dev/v4l/by-id/{stable[path.name].name}"
            if path.name in stable
            else (f"/dev/{path.name}")
        )
        found.append(Device("camera", use, name))
    return found


def _takes_pictures(path: Path) -> bool:
    """Tell a camera from a screen or a codec, such as a Pi has many; what cannot be asked is one.

    `birdfield doctor` tells why it cannot.
    """
    told = bytearray(CAPABILITIES_BYTES)
    try:
        device = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return True
    try:
        fcntl.ioctl(device, QUERY_CAPABILITIES, told)
    except OSError:
        return True
    finally:
        os.close(device)
    return bool(struct.unpack_from("I", told, DEVICE_CAPABILITIES_AT)[0] & CAPTURES)


def list_microphones() -> list[Device]:
    """List input devices, by a part of their name that stays the same over a start.

    Where two devices share that part, it is the whole name.

    Raises:
        MissingError: When PortAudio is not installed.
    """
    found = [each for each in load_sounddevice().query_devices() if each["max_input_channels"] > 0]
    names = [each["name"] for each in found]

    def use(name: str) -> str:
        stable = stable_name(name)
        alike = sum(stable.casefold() in other.casefold() for other in names)
        return f'"{stable if alike == 1 else name}"'

    return [
        Device("microphone", use(each["name"]), each["name"], each["default_samplerate"])
        for each in found
    ]
