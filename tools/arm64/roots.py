"""Roots: Debian for arm64 in folders, run by an emulator: python tools/arm64/roots.py.

Needs Linux on x86-64 and root. The roots are created once, in the folder of BIRDFIELD_ARM64 or in
birdfield's cache folder, and used again. Uses the standard library only.
"""

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = "python3,python3-venv"
TOOLS = ("debootstrap", "dpkg-deb", "tar", "unshare", "chroot", "mount")
BINFMT = Path("/proc/sys/fs/binfmt_misc")
EMULATOR = "qemu-aarch64"
EMULATOR_LINE = Path("/usr/lib/binfmt.d") / f"{EMULATOR}.conf"
PROCESSOR = "cortex-a76"  # of a Raspberry Pi 5
CPUINFO = CHECKOUT / "tools" / "arm64" / "cpuinfo.txt"  # what Linux reports for four of them
EXCHANGE = "/mnt"  # the exchange folder in a root, read-only, where commands run
# Without /sys and an arm64 cpuinfo, TFLite does not find the processors: it runs without the
# kernels that a Raspberry Pi uses, or crashes.
# In its own mount namespace: nothing stays mounted, however the command ends.
ENTER = f"""set -e
mount -t proc proc "$0/proc"
mount -t sysfs -o ro sysfs "$0/sys"
mount --bind "$2" "$0/proc/cpuinfo"
mount --bind "$1" "$0{EXCHANGE}"
mount -o remount,bind,ro "$0{EXCHANGE}"
shift 2
exec chroot "$0" env --chdir={EXCHANGE} "$@"
"""


@dataclass(frozen=True)
class Root:
    """A Debian release: folder name, code name and Python version."""

    name: str
    suite: str
    python: str


ROOTS = (Root("debian-12", "bookworm", "3.11"), Root("debian-13", "trixie", "3.13"))


def say(sentence: str) -> None:
    """Print a line at once, because the next step may take minutes."""
    print(sentence, flush=True)


def arm64_folder() -> Path:
    """Return the folder of the roots: BIRDFIELD_ARM64, or a folder in XDG_CACHE_HOME."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("BIRDFIELD_ARM64") or cache / "birdfield" / "arm64").resolve()


def check_machine() -> None:
    """Check that this machine can create and run roots, and register the emulator.

    Raises:
        SystemExit: When it cannot.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise SystemExit(
            f"make arm64: this is {platform.system()} on {platform.machine()}, but the comparison "
            "of arm64 with x86-64 needs both; run it on Linux on x86-64"
        )
    if os.geteuid() != 0:
        raise SystemExit(
            f"make arm64: run by user {os.geteuid()}, but only root can create roots of Debian; "
            "run: sudo make arm64"
        )
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if not (EMULATOR_LINE.exists() or (BINFMT / EMULATOR).exists()):
        missing.append(EMULATOR)
    if missing:
        raise SystemExit(
            f"make arm64: not found: {', '.join(missing)}; on Debian run: "
            "apt-get install debootstrap qemu-user-static"
        )
    if arm64_folder().is_relative_to(CHECKOUT):
        raise SystemExit(
            f"make arm64: the roots would be in {arm64_folder()}, inside the "
            "checkout; set BIRDFIELD_ARM64 to a folder outside it"
        )
    _register_emulator()


def _register_emulator() -> None:
    """Make the kernel run arm64 programs by the emulator until the machine restarts.

    Raises:
        SystemExit: When the kernel does not permit it.
    """
    entry = BINFMT / EMULATOR
    try:
        if not (BINFMT / "register").exists():
            subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)], check=True)
        if not entry.exists():
            (BINFMT / "register").write_bytes(EMULATOR_LINE.read_bytes())
        flags = next(line for line in entry.read_text().splitlines() if line.startswith("flags"))
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(
            f"make arm64: the kernel did not register {EMULATOR} ({error}); some containers lack "
            "binfmt_misc, so use a machine or a privileged container"
        ) from error
    if "F" not in flags.partition(":")[2]:  # the kernel would look for it in the root
        raise SystemExit(
            f"make arm64: {entry} has the {flags}, expected F among them; "
            "reinstall qemu-user-static"
        )


def ensure_root(root: Root) -> Path:
    """Return the folder of a root; create it when it does not exist.

    Raises:
        SystemExit: When debootstrap fails.
    """
    folder = arm64_folder() / root.name
    if folder.is_dir():
        say(f"{root.name}: using {folder}")
        return folder
    say(f"{root.name}: creating it by debootstrap in {folder}; this takes minutes")
    begun_s = time.monotonic()
    part = folder.with_name(folder.name + ".part")  # an unfinished root never has the final name
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    _bootstrap(root, part)
    part.rename(folder)
    say(f"{root.name}: created in {time.monotonic() - begun_s:.0f} s")
    return folder


def _bootstrap(root: Root, folder: Path) -> None:
    """Unpack the packages without running their scripts.

    In an emulator the scripts take many minutes, and Python works without them.
    """
    packages = folder.with_name("packages")  # kept for the next root
    packages.mkdir(exist_ok=True)
    done = subprocess.run(
        [
            "debootstrap",
            "--foreign",
            "--arch=arm64",
            "--variant=minbase",
            f"--include={PACKAGES}",
            f"--cache-dir={packages}",
            root.suite,
            str(folder),
        ],
        check=False,
    )
    if done.returncode:
        raise SystemExit(
            f"make arm64: debootstrap of {root.suite} ended with exit code "
            f"{done.returncode}; its log is {folder}/debootstrap/debootstrap.log"
        )
    base = (folder / "debootstrap" / "base").read_text().split()
    for line in (folder / "debootstrap" / "debpaths").read_text().splitlines():
        name, path = line.split()
        if name in base:  # debootstrap has unpacked the others
            tar = subprocess.run(
                ["dpkg-deb", "--fsys-tarfile", folder / path.lstrip("/")],
                stdout=subprocess.PIPE,
                check=True,
            ).stdout
            subprocess.run(
                ["tar", "-x", "--keep-directory-symlink", "-C", folder], input=tar, check=True
            )
    join_certificates(folder)
    if (folder / "proc").is_symlink():  # debootstrap's link, for a second stage that does not run
        (folder / "proc").unlink()
    for place in ("proc", EXCHANGE[1:]):
        (folder / place).mkdir(exist_ok=True)


def join_certificates(root: Path) -> None:
    """Write the joined certificates, as ca-certificates does; Debian's pip always reads them."""
    certificates = sorted((root / "usr" / "share" / "ca-certificates").rglob("*.crt"))
    joined = root / "etc" / "ssl" / "certs" / "ca-certificates.crt"
    joined.parent.mkdir(parents=True, exist_ok=True)
    joined.write_bytes(b"".join(path.read_bytes() for path in certificates))


def run_in_root(
    root: Path, exchange: Path, command: Sequence[str], environment: Mapping[str, str] | None = None
) -> str:
    """Run a command in a root, with the exchange folder at EXCHANGE; return its output.

    Raises:
        SystemExit: When the command fails.
    """
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", ENTER, str(root), str(exchange), str(CPUINFO), *command],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "QEMU_CPU": PROCESSOR,
            **(environment or {}),
        },
    )
    if done.returncode:
        raise SystemExit(
            f"make arm64: in {root}: {' '.join(command[:6])} ... ended with exit code "
            f"{done.returncode}; its output is above"
        )
    return done.stdout


def main() -> None:
    """Check the machine and create missing roots."""
    check_machine()
    for root in ROOTS:
        ensure_root(root)


if __name__ == "__main__":
    main()
