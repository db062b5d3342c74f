"""Devices: the cameras and microphones of this machine."""

import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from birdfield.capture.live_microphone import load_sounddevice, stable_name
from birdfield.capture.supervisor import SourceKind

# The ioctl VIDIOC_QUERYCAP of linux/videodev2.h: its result's size, and where device_caps is in it.
QUERY_CAPABILITIES, CAPABILITIES_BYTES, DEVICE_CAPABILITIES_OFFSET = 0x80685600, 104, 88
VIDEO_CAPTURE = 0x1 | 0x1000  # single-planar and multi-planar


@dataclass(frozen=True)
class Device:
    """A camera or a microphone.

    Attributes:
        kind: Which of them.
        use: The spec that opens it, which stays the same after a restart where possible.
        name: The device's own name.
        rate_hz: A microphone's default sample rate; None for a camera.
    """

    kind: SourceKind
    use: str
    name: str
    rate_hz: float | None = None

    def to_json(self) -> dict[str, str | float | None]:
        """Return the form of `devices --json`."""
        return {"kind": self.kind, "use": self.use, "name": self.name, "rate_hz": self.rate_hz}


def list_cameras(root: Path = Path("/")) -> list[Device]:
    """List the video devices that capture pictures.

    Args:
        root: The folder that holds `dev` and `sys`.
    """
    stable = {
        path.resolve().name: path
        for path in sorted((root / "dev/v4l/by-id").glob("*"), reverse=True)
    }
    found = []
    for path in sorted((root / "sys/class/video4linux").glob("video*")):
        try:
            if (path / "index").read_text().strip() != "0":  # another stream of the same camera
                continue
            name = (path / "name").read_text().strip()
        except OSError:
            continue
        if not _captures_video(root / "dev" / path.name):
            continue
        use = (
            f"/dev/v4l/by-id/{stable[path.name].name}"
            if path.name in stable
            else f"/dev/{path.name}"
        )
        found.append(Device("camera", use, name))
    return found


def _captures_video(path: Path) -> bool:
    """Return whether a video device is a camera, and not a display or a codec as on a Pi.

    A device that cannot be queried counts as a camera: `birdfield doctor` explains the reason.
    """
    capabilities = bytearray(CAPABILITIES_BYTES)
    try:
        device = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return True
    try:
        fcntl.ioctl(device, QUERY_CAPABILITIES, capabilities)
    except OSError:
        return True
    finally:
        os.close(device)
    flags = struct.unpack_from("I", capabilities, DEVICE_CAPABILITIES_OFFSET)[0]
    return bool(flags & VIDEO_CAPTURE)


def list_microphones() -> list[Device]:
    """List the input devices, each by a part of its name that stays the same after a restart.

    Where two devices share that part, the spec is the whole name.

    Raises:
        MissingError: When PortAudio is not installed.
    """
    found = [each for each in load_sounddevice().query_devices() if each["max_input_channels"] > 0]
    names = [str(each["name"]) for each in found]

    def spec(name: str) -> str:
        stable = stable_name(name)
        alike = sum(stable.casefold() in other.casefold() for other in names)
        return f'"{stable if alike == 1 else name}"'

    return [
        Device("microphone", spec(name), name, each["default_samplerate"])
        for name, each in zip(names, found, strict=True)
    ]
