"""The doctor's look at the machine: versions, disk, clock, temperature, memory, permissions."""

import grp
import os
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from birdfield import __version__
from birdfield.doctor.findings import Finding
from birdfield.journal.retention import KEEP_FREE_BYTES, free_bytes
from birdfield.watch.thermal import read_celsius

PACKAGES = (
    "numpy",
    "opencv-python-headless",
    "ai-edge-litert",
    "tflite-runtime",
    "soundfile",
    "soxr",
    "sounddevice",
)
OLDEST = datetime(2026, 1, 1, tzinfo=UTC)  # this program is younger: an earlier clock is wrong
HOT_C, THROTTLED_C = 70.0, 80.0
LOW_MB = 300
ROOMY = 4  # times what stays free: less will be full soon
ROOT = Path("/")


def installed(name: str) -> str | None:
    """Return a package's version, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_versions() -> Finding:
    """Tell what is installed, and whether it is 64-bit."""
    versions = ", ".join(f"{name} {version}" for name in PACKAGES if (version := installed(name)))
    found = (
        f"birdfield {__version__}, Python {platform.python_version()}, {platform.system()} "
        f"{platform.release()} {platform.machine()}, {versions}"
    )
    if struct.calcsize("P") < 8:
        return Finding(
            "versions",
            "fail",
            f"{found}; this Python is 32-bit",
            "install the 64-bit Raspberry Pi OS",
        )
    if not (installed("ai-edge-litert") or installed("tflite-runtime")):
        return Finding(
            "versions", "fail", f"{found}; no TFLite runtime", "pip install ai-edge-litert"
        )
    return Finding("versions", "ok", found)


def check_disk(folder: Path | None, keep_free: int = KEEP_FREE_BYTES) -> Finding:
    """Look at the journal's folder and its disk; without one, at the current folder's disk."""
    place = folder or Path.cwd()
    nearest = next(each for each in (place, *place.absolute().parents) if each.exists())
    if folder and nearest == folder and folder.stat().st_mode & 0o077:
        return Finding("disk", "warn", f"{folder} may be read by others", f"chmod 700 {folder}")
    try:
        with tempfile.TemporaryFile(dir=nearest) as stream:
            stream.write(b"\0" * 4096)
            stream.flush()
    except OSError as error:
        return Finding(
            "disk",
            "fail",
            f"{nearest} cannot be written ({error.strerror})",
            f"choose another folder, or: sudo chown $USER {nearest}",
        )
    free = free_bytes(nearest)
    found = f"{free / 1e9:.1f} GB are free at {nearest}"
    if free < keep_free:
        return Finding(
            "disk",
            "fail",
            f"{found}, less than the {keep_free / 1e9:.1f} that stay free",
            "delete something, or lower --keep-free-gb",
        )
    if free < ROOMY * keep_free:
        return Finding("disk", "warn", found, "delete something, or set --keep-gb")
    return Finding("disk", "ok", found)


def check_clock(root: Path = ROOT, now: datetime | None = None) -> Finding:
    """Tell whether the clock can be right."""
    now = now or datetime.now(UTC)
    found = f"{now.astimezone():%Y-%m-%d %H:%M %Z}"
    if now < OLDEST:
        return Finding(
            "clock",
            "fail",
            f"{found}, before this program was made",
            "connect the network, or: sudo date -s 'YYYY-MM-DD HH:MM'",
        )
    if (root / "run/systemd/timesync/synchronized").exists() or _synchronised():
        return Finding("clock", "ok", f"{found}, set by the network")
    if (root / "dev/rtc0").exists():
        return Finding("clock", "ok", f"{found}, kept by a battery-backed clock")
    return Finding(
        "clock",
        "warn",
        f"{found}, neither set by the network nor kept by a battery",
        "sudo timedatectl set-ntp true, or add a clock with a battery",
    )


def _synchronised() -> bool:
    if shutil.which("timedatectl") is None:
        return False
    try:
        done = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],
            capture_output=True,
            text=True,
            timeout=5,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == "yes"


def check_temperature(root: Path = ROOT) -> Finding:
    """Look at the hottest sensor, and at what a Pi's firmware says of its power."""
    hottest = read_celsius(root / "sys/class/thermal")
    found = "no sensor" if hottest is None else f"{hottest:.0f} degrees Celsius"
    if _undervolted(root):
        return Finding(
            "temperature",
            "warn",
            f"{found}, and the voltage was too low",
            "use the power supply that the Pi's makers name",
        )
    if hottest is not None and hottest >= HOT_C:
        return Finding(
            "temperature",
            "fail" if hottest >= THROTTLED_C else "warn",
            found,
            "give it shade, air or a heat sink; it slows down at 80",
        )
    return Finding("temperature", "ok", found)


def _undervolted(root: Path) -> bool:
    path = root / "sys/devices/platform/soc/soc:firmware/get_throttled"
    try:
        return bool(int(path.read_text(), 16) & 0x10001)  # now, or since the start
    except (OSError, ValueError):
        return False


def check_memory(root: Path = ROOT) -> Finding:
    """Look at the memory that is available."""
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError, IndexError):
        return Finding("memory", "ok", "the system does not tell")
    found = f"{kilobytes / 1000:.0f} MB are available"
    if kilobytes < LOW_MB * 1000:
        return Finding("memory", "warn", found, "stop other programs")
    return Finding("memory", "ok", found)


def check_permissions(root: Path = ROOT, user: int | None = None) -> Finding:
    """Tell whether this user is an ordinary one who may use cameras and microphones."""
    number = os.geteuid() if user is None else user
    if number == 0:
        return Finding(
            "permissions",
            "warn",
            "this is root, which a station does not need",
            "run it as an ordinary user",
        )
    held = {grp.getgrgid(group).gr_name for group in os.getgroups() if _has_name(group)}
    wanted = {"video": any((root / "dev").glob("video*")), "audio": (root / "dev/snd").exists()}
    lacking = [name for name, there in wanted.items() if there and name not in held]
    if lacking:
        return Finding(
            "permissions",
            "warn",
            f"this user is not of {', '.join(lacking)}",
            f"sudo usermod -aG {','.join(lacking)} $USER, and log in again",
        )
    return Finding("permissions", "ok", f"an ordinary user, of {', '.join(sorted(held)) or 'none'}")


def _has_name(group: int) -> bool:
    try:
        grp.getgrgid(group)
    except KeyError:
        return False
    return True


def packages() -> str:
    """List what is installed beside, a package a line."""
    found = {f"{each.name}=={each.version}" for each in metadata.distributions() if each.name}
    return "\n".join([sys.version.replace("\n", " "), *sorted(found, key=str.lower)]) + "\n"
