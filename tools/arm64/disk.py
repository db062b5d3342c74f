"""Disk: a Debian 13 for arm64 with systemd, for tools/arm64/machine.py (Linux, as root).

The disk is created once, in the folder of the arm64 roots. Uses the standard library only.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from roots import arm64_folder, join_certificates, say

SUITE = "trixie"
USER = "wren"
# The packages of Raspberry Pi OS Lite that a station uses, and no others: python3-venv is missing.
# Busybox starts the machine, because an ordinary initramfs takes minutes to build.
PACKAGES = (
    "systemd,systemd-sysv,systemd-timesyncd,libpam-systemd,dbus,udev,kmod,sudo,"
    "openssh-server,linux-image-arm64,busybox-static,ca-certificates,iproute2,netbase,"
    "procps,nano,python3,alsa-utils,v4l-utils"
)
DISK_GB = 6
TOOLS = ("qemu-system-aarch64", "mkfs.ext4", "depmod", "cpio", "xz", "ssh", "scp", "ssh-keygen")
DRIVERS = ("virtio_blk", "ext4")  # needed to find the disk
PAM = (
    "auth required pam_unix.so\n",
    "account required pam_unix.so\n",
    "password required pam_unix.so\n",
    "session required pam_unix.so\nsession optional pam_systemd.so\n",
    "session required pam_unix.so\n",
)
PAM_FILES = (
    "common-auth",
    "common-account",
    "common-password",
    "common-session",
    "common-session-noninteractive",
)
FILES = {
    "etc/hostname": "garden\n",
    "etc/hosts": "127.0.0.1 localhost garden\n",
    "etc/resolv.conf": "nameserver 10.0.2.3\n",  # QEMU's name server
    "etc/fstab": "/dev/vda / ext4 defaults,noatime 0 1\n/dev/vdb /opt ext4 ro 0 0\n",
    "etc/apt/sources.list": f"deb http://deb.debian.org/debian {SUITE} main\n",
    "etc/systemd/network/any.network": "[Match]\nName=e*\n\n[Network]\nDHCP=ipv4\n",
    "etc/sudoers.d/user": f"{USER} ALL=(ALL) NOPASSWD: ALL\n",  # as Raspberry Pi OS has it
    # An emulated start, and an emulated window, take longer than on any real machine.
    "etc/systemd/system.conf.d/slow.conf": "[Manager]\nDefaultDeviceTimeoutSec=15min\n",
    "etc/systemd/system/service.d/slow.conf": "[Service]\nTimeoutStartSec=15min\nWatchdogSec=0\n",
    "etc/systemd/system/birdfield.service.d/slow.conf": "[Service]\nWatchdogSec=15min\n",
    # The camera and the microphone; see tools/arm64/player.py.
    "etc/systemd/system/aviary.service": "[Unit]\nBefore=birdfield.service\n\n"
    "[Service]\nExecStartPre=/usr/bin/python3 /opt/player.py plug-in\n"
    "ExecStart=/usr/bin/python3 /opt/player.py /opt/film.bgr /opt/song.wav\n"
    "Restart=always\nRestartSec=5\n\n[Install]\nWantedBy=multi-user.target\n",
    **{f"etc/pam.d/{name}": text for name, text in zip(PAM_FILES, PAM, strict=True)},
}
COPIES = {
    "usr/share/base-files/profile": "etc/profile",
    "usr/share/libc-bin/nsswitch.conf": "etc/nsswitch.conf",
    "usr/share/openssh/sshd_config": "etc/ssh/sshd_config",
    "usr/bin/which.debianutils": "usr/bin/which",
    "usr/bin/mawk": "usr/bin/awk",
}
UNITS = ("systemd-networkd", "systemd-timesyncd", "ssh", "aviary")
# In its own mount namespace: nothing stays mounted, however the command ends.
ENTER = """set -e
mount -t proc proc "$0/proc"
exec chroot "$0" sh -ec "$1"
"""
CONFIGURE = f"""mkdir -p /usr/local/bin
systemd-sysusers
useradd --create-home --shell /bin/bash --groups sudo {USER}
systemctl enable {" ".join(UNITS)}
systemctl mask systemd-hwdb-update systemd-binfmt apt-daily.timer apt-daily-upgrade.timer
systemd-machine-id-setup
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
"""
INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
for module in /modules/*; do /bin/busybox insmod "$module"; done
/bin/busybox mount -t ext4 /dev/vda /disk
/bin/busybox mount --move /dev /disk/dev
exec /bin/busybox switch_root /disk /sbin/init
"""


@dataclass(frozen=True)
class Disk:
    """The files that QEMU starts the machine from.

    Attributes:
        folder: The folder of image, kernel and key.
    """

    folder: Path

    @property
    def image(self) -> Path:
        """The root file system, ext4."""
        return self.folder / "disk.img"

    @property
    def key(self) -> Path:
        """The private key of the user's ssh login."""
        return self.folder / "key"


def check_tools() -> None:
    """Raise SystemExit when a program is missing that creates or starts the machine."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        raise SystemExit(
            f"make arm64-season: not found: {', '.join(missing)}; on Debian run: "
            "apt-get install qemu-system-arm e2fsprogs kmod cpio xz-utils "
            "openssh-client"
        )


def ensure_disk() -> Disk:
    """Return the disk; create it when it does not exist.

    Raises:
        SystemExit: When it cannot be created.
    """
    disk = Disk(arm64_folder() / "machine")
    if disk.image.exists():
        say(f"machine: using {disk.folder}")
        return disk
    say(f"machine: creating it by debootstrap in {disk.folder}; this takes minutes")
    begun_s = time.monotonic()
    shutil.rmtree(disk.folder, ignore_errors=True)
    root = disk.folder / "root"
    root.mkdir(parents=True)
    log = disk.folder / "log"
    packages = arm64_folder() / "packages"  # kept for the next disk
    packages.mkdir(exist_ok=True)
    _run(
        log,
        [
            "debootstrap",
            "--foreign",
            "--arch=arm64",
            "--variant=minbase",
            f"--include={PACKAGES}",
            f"--cache-dir={packages}",
            SUITE,
            str(root),
        ],
    )
    _unpack(root)
    _configure(root, disk, log)
    _make_initramfs(root, disk, log)
    part = disk.folder / "disk.part"
    _run(log, ["mkfs.ext4", "-q", "-d", str(root), str(part), f"{DISK_GB}G"])
    part.rename(disk.image)
    shutil.rmtree(root)
    say(f"machine: created in {time.monotonic() - begun_s:.0f} s")
    return disk


def _unpack(root: Path) -> None:
    """Unpack every package and mark it as installed, without running its scripts.

    In an emulator, the scripts take many minutes.
    """
    status = []
    for package in sorted((root / "var" / "cache" / "apt" / "archives").glob("*.deb")):
        tar = subprocess.run(
            ["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE, check=True
        ).stdout
        subprocess.run(["tar", "-x", "--keep-directory-symlink", "-C", root], input=tar, check=True)
        control = subprocess.run(
            ["dpkg-deb", "--field", package], stdout=subprocess.PIPE, check=True, text=True
        ).stdout
        status.append(f"{control.rstrip()}\nStatus: install ok installed\n")
        names = subprocess.run(
            ["tar", "-t"], input=tar, stdout=subprocess.PIPE, check=True
        ).stdout.decode()
        field = dict(line.split(": ", 1) for line in control.splitlines() if ": " in line)
        same = f":{field['Architecture']}" if field.get("Multi-Arch") == "same" else ""
        own = root / "var" / "lib" / "dpkg" / "info" / f"{field['Package']}{same}"
        if field["Package"] == "libc-bin":
            _register_ldconfig(package, own)
        own.with_name(f"{own.name}.list").write_text(
            "".join(f"{name[1:].rstrip('/') or '/.'}\n" for name in names.splitlines())
        )
        package.unlink()
    (root / "var" / "lib" / "dpkg" / "status").write_text("\n".join(status))


def _register_ldconfig(package: Path, own: Path) -> None:
    """Register the trigger by which dpkg runs ldconfig after an installation."""
    with tempfile.TemporaryDirectory() as control:
        subprocess.run(["dpkg-deb", "--control", package, control], check=True)
        for name in ("postinst", "triggers"):
            shutil.copy(Path(control) / name, own.with_name(f"{own.name}.{name}"))
    triggers = own.parents[1] / "triggers"
    triggers.mkdir(exist_ok=True)
    (triggers / "ldconfig").write_text("libc-bin/noawait\n")


def _configure(root: Path, disk: Disk, log: Path) -> None:
    """Do what a start needs of the packages' scripts."""
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).unlink(missing_ok=True)
        (root / name).write_text(text)
    (root / "etc" / "sudoers.d" / "user").chmod(0o440)
    for source, target in COPIES.items():
        shutil.copy(root / source, root / target)
    join_certificates(root)
    if (root / "proc").is_symlink():  # debootstrap's link, for a second stage that does not run
        (root / "proc").unlink()
    (root / "proc").mkdir(exist_ok=True)
    _run(log, ["unshare", "--mount", "sh", "-c", ENTER, str(root), CONFIGURE])
    _run(log, ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(disk.key)])
    home = root / "home" / USER
    (home / ".ssh").mkdir(mode=0o700)
    shutil.copy(disk.key.with_suffix(".pub"), home / ".ssh" / "authorized_keys")
    for path in (home / ".ssh", home / ".ssh" / "authorized_keys"):
        os.chown(path, home.stat().st_uid, home.stat().st_gid)


def _make_initramfs(root: Path, disk: Disk, log: Path) -> None:
    """Write the kernel, and an initramfs of busybox and the disk's drivers in load order."""
    (kernel,) = (root / "boot").glob("vmlinuz-*")
    shutil.copy(kernel, disk.folder / "vmlinuz")
    release = kernel.name.partition("-")[2]
    _run(log, ["depmod", "-b", str(root), release])
    place = disk.folder / "initramfs"
    for name in ("bin", "dev", "modules", "disk"):
        (place / name).mkdir(parents=True)
    shutil.copy(root / "usr" / "bin" / "busybox", place / "bin")
    (place / "init").write_text(INIT)
    (place / "init").chmod(0o755)
    drivers: list[str] = []
    for driver in DRIVERS:
        shown = subprocess.run(
            ["modprobe", "-d", str(root), "-S", release, "--show-depends", driver],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout
        drivers += [line.split()[1] for line in shown.splitlines() if line.startswith("insmod")]
    for number, driver in enumerate(dict.fromkeys(drivers)):
        module = subprocess.run(["xz", "-dc", driver], stdout=subprocess.PIPE, check=True).stdout
        (place / "modules" / f"{number:02}-{Path(driver).name.removesuffix('.xz')}").write_bytes(
            module
        )
    _run(
        log,
        [
            "sh",
            "-c",
            'cd "$0" && find . | cpio --quiet -o -H newc > "$1"',
            str(place),
            str(disk.folder / "initramfs.cpio"),
        ],
    )
    shutil.rmtree(place)


def _run(log: Path, command: Sequence[str]) -> None:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}
    with log.open("ab") as stream:
        done = subprocess.run(command, stdout=stream, stderr=stream, check=False, env=environment)
    if done.returncode:
        raise SystemExit(
            f"make arm64-season: {command[0]} ended with exit code {done.returncode}; "
            f"its log is {log}"
        )
