"""Software checks: versions, permissions, and installed packages."""

import grp
import os
import platform
import struct
import sys
from importlib import metadata
from pathlib import Path

from birdfield import __version__
from birdfield.doctor.findings import Finding

PACKAGES = (
    "numpy",
    "opencv-python-headless",
    "ai-edge-litert",
    "tflite-runtime",
    "soundfile",
    "soxr",
    "sounddevice",
)
ROOT = Path("/")


def installed_version(name: str) -> str | None:
    """Return the version of a package; None when it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_versions() -> Finding:
    """Check the versions, a 64-bit Python, and a TFLite runtime."""
    versions = ", ".join(
        f"{name} {version}" for name in PACKAGES if (version := installed_version(name))
    )
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
    if not (installed_version("ai-edge-litert") or installed_version("tflite-runtime")):
        return Finding(
            "versions", "fail", f"{found}; no TFLite runtime", "pip install ai-edge-litert"
        )
    return Finding("versions", "ok", found)


def check_permissions(root: Path = ROOT, user: int | None = None) -> Finding:
    """Check that this is an ordinary user with access to cameras and microphones."""
    number = os.geteuid() if user is None else user
    if number == 0:
        return Finding(
            "permissions",
            "warn",
            "this is root; a station does not need root",
            "run birdfield as an ordinary user",
        )
    held = {grp.getgrgid(group).gr_name for group in os.getgroups() if _has_name(group)}
    needed = {"video": any((root / "dev").glob("video*")), "audio": (root / "dev/snd").exists()}
    missing = [name for name, present in needed.items() if present and name not in held]
    if missing:
        return Finding(
            "permissions",
            "warn",
            f"this user is not in the groups {', '.join(missing)}",
            f"sudo usermod -aG {','.join(missing)} $USER, and log in again",
        )
    return Finding(
        "permissions", "ok", f"an ordinary user in {', '.join(sorted(held)) or 'no group'}"
    )


def _has_name(group: int) -> bool:
    try:
        grp.getgrgid(group)
    except KeyError:
        return False
    return True


def packages() -> str:
    """List Python and all installed packages, one on each line."""
    found = {f"{each.name}=={each.version}" for each in metadata.distributions() if each.name}
    return "\n".join([sys.version.replace("\n", " "), *sorted(found, key=str.lower)]) + "\n"
