"""Hardware checks: disk, clock, temperature and memory."""

import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from birdfield.doctor.findings import Finding
from birdfield.journal.retention import KEEP_FREE_BYTES, free_bytes
from birdfield.watch.thermal import read_celsius

EARLIEST_CLOCK = datetime(2026, 1, 1, tzinfo=UTC)  # before the first release: a wrong clock
HOT_C, THROTTLED_C = 70.0, 80.0
LOW_MEMORY_MB = 300
ROOMY = 4  # times the space that stays free: with less, the disk is full soon
ROOT = Path("/")


def check_disk(folder: Path | None, keep_free: int = KEEP_FREE_BYTES) -> Finding:
    """Check the journal's folder and disk; without a journal, the disk of the current folder."""
    place = folder or Path.cwd()
    nearest = next(each for each in (place, *place.absolute().parents) if each.exists())
    if folder and nearest == folder and folder.stat().st_mode & 0o077:
        return Finding("disk", "warn", f"other users can read {folder}", f"chmod 700 {folder}")
    try:
        with tempfile.TemporaryFile(dir=nearest) as stream:
            stream.write(b"\0" * 4096)
            stream.flush()
    except OSError as error:
        return Finding(
            "disk",
            "fail",
            f"{nearest} cannot be written ({error.strerror})",
            f"choose another folder, or run: sudo chown $USER {nearest}",
        )
    free = free_bytes(nearest)
    found = f"{free / 1e9:.1f} GB free at {nearest}"
    if free < keep_free:
        return Finding(
            "disk",
            "fail",
            f"{found}, less than the {keep_free / 1e9:.1f} GB that must stay free",
            "delete some files, or lower journal.keep_free_gb",
        )
    if free < ROOMY * keep_free:
        return Finding("disk", "warn", found, "delete some files, or set journal.keep_gb")
    return Finding("disk", "ok", found)


def check_clock(root: Path = ROOT, now: datetime | None = None) -> Finding:
    """Check that the clock is plausible, and set by the network or kept by a battery."""
    now = now or datetime.now(UTC)
    found = f"{now.astimezone():%Y-%m-%d %H:%M %Z}"
    if now < EARLIEST_CLOCK:
        return Finding(
            "clock",
            "fail",
            f"{found}, before the first release of birdfield",
            "connect the network, or run: sudo date -s 'YYYY-MM-DD HH:MM'",
        )
    if (root / "run/systemd/timesync/synchronized").exists() or _clock_synchronised():
        return Finding("clock", "ok", f"{found}, set by the network")
    if (root / "dev/rtc0").exists():
        return Finding("clock", "ok", f"{found}, kept by a battery-backed clock")
    return Finding(
        "clock",
        "warn",
        f"{found}, neither set by the network nor kept by a battery",
        "run: sudo timedatectl set-ntp true, or add a clock with a battery",
    )


def _clock_synchronised() -> bool:
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
    """Check the hottest sensor, and the supply voltage of a Raspberry Pi."""
    hottest = read_celsius(root / "sys/class/thermal")
    found = "no sensor" if hottest is None else f"{hottest:.0f} degrees Celsius"
    if _undervolted(root):
        return Finding(
            "temperature",
            "warn",
            f"{found}, and the voltage was too low",
            "use the official power supply of the Raspberry Pi",
        )
    if hottest is not None and hottest >= HOT_C:
        return Finding(
            "temperature",
            "fail" if hottest >= THROTTLED_C else "warn",
            found,
            "add shade, air or a heat sink; the processor slows down at 80",
        )
    return Finding("temperature", "ok", found)


def _undervolted(root: Path) -> bool:
    path = root / "sys/devices/platform/soc/soc:firmware/get_throttled"
    try:
        return bool(int(path.read_text(), 16) & 0x10001)  # bit 0: now; bit 16: since the start
    except (OSError, ValueError):
        return False


def check_memory(root: Path = ROOT) -> Finding:
    """Check the available memory."""
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError, IndexError):
        return Finding("memory", "ok", "unknown on this system")
    found = f"{kilobytes / 1000:.0f} MB available"
    if kilobytes < LOW_MEMORY_MB * 1000:
        return Finding("memory", "warn", found, "stop other programs")
    return Finding("memory", "ok", found)
