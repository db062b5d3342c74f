"""Machine: an emulated arm64 computer with systemd, for tools/arm64/season.py.

tools/arm64/disk.py creates its disk. Each start discards its writes when it ends, so the disk can
be used again. Uses the standard library only.
"""

import contextlib
import secrets
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from disk import USER, Disk
from roots import PROCESSOR, say

MEMORY_MB = 2048
HOST = "10.0.2.2"  # the address of this machine in QEMU's network
START_S = 900.0  # limit for an emulated start on a busy machine
# Address randomisation and mitigations make an emulated start many times slower.
KERNEL_LINE = "console=ttyAMA0 nokaslr mitigations=off"


def free_port() -> int:
    """Return an unused port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Machine:
    """A running machine, reached as its user by ssh."""

    def __init__(self, disk: Disk, port: int) -> None:
        """Connect to the machine whose ssh server is at a port of this machine."""
        self._options = [
            "-i",
            str(disk.key),
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "LogLevel=ERROR",
            "-o",
            "ConnectTimeout=30",
            "-o",
            "ServerAliveInterval=30",
        ]
        self._port = str(port)

    @contextlib.contextmanager
    def login(self) -> Iterator["Shell"]:
        """Log in, and log out at the end."""
        process = subprocess.Popen(
            ["ssh", "-p", self._port, *self._options, f"{USER}@127.0.0.1", "bash -l"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield Shell(process)
        finally:
            process.communicate()

    def restart(self) -> None:
        """Restart the machine, and wait until it runs."""
        before = self.run("cat /proc/sys/kernel/random/boot_id").stdout
        self.run("sudo systemctl reboot", check=False)
        self.wait(f"cat /proc/sys/kernel/random/boot_id | grep -v {before.strip()}", START_S)

    def copy(self, source: Path, target: str) -> None:
        """Copy a file or folder into the user's home."""
        subprocess.run(
            [
                "scp",
                "-q",
                "-r",
                "-P",
                self._port,
                *self._options,
                str(source),
                f"{USER}@127.0.0.1:{target}",
            ],
            check=True,
        )

    def run(self, command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in a login shell of its own.

        Raises:
            SystemExit: When the command fails and `check` is true.
        """
        done = subprocess.run(
            [
                "ssh",
                "-p",
                self._port,
                *self._options,
                f"{USER}@127.0.0.1",
                f"bash -lc {shlex.quote(command)}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise SystemExit(
                f"make arm64-season: {command!r} ended with exit code "
                f"{done.returncode}: {done.stdout.strip()[-2000:]}"
            )
        return done

    def wait(self, command: str, limit_s: float, expected: str = "") -> float:
        """Repeat a command until it succeeds and its output contains the expected text.

        Returns:
            Seconds until success.

        Raises:
            SystemExit: When the limit is reached.
        """
        begun_s = time.monotonic()
        while True:
            done = self.run(command, check=False)
            took_s = time.monotonic() - begun_s
            if done.returncode == 0 and expected in done.stdout:
                return took_s
            if took_s > limit_s:
                raise SystemExit(
                    f"make arm64-season: {command!r} did not print {expected!r} within "
                    f"{limit_s:.0f} s; its output: {done.stdout.strip()[-2000:]}"
                )
            time.sleep(3)


class Shell:
    """A login shell that keeps its state from one command to the next."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Use a shell process that reads commands from its input."""
        self._process = process

    def run(self, command: str) -> tuple[int, str]:
        """Run a line; return its exit code and its output."""
        assert self._process.stdin is not None and self._process.stdout is not None  # pipes
        mark = f"--{secrets.token_hex(8)}--"
        self._process.stdin.write(
            f"{{ {command}\n}} < /dev/null 2>&1; code=$?\necho; echo {mark}$code\n"
        )
        self._process.stdin.flush()
        output: list[str] = []
        for line in self._process.stdout:
            if line.startswith(mark):
                return int(line.removeprefix(mark)), "".join(output).rstrip("\n")
            output.append(line)
        raise SystemExit(f"make arm64-season: the connection was lost during {command!r}")


@contextlib.contextmanager
def started(disk: Disk, extra: Path) -> Iterator[Machine]:
    """Start the machine with a second disk; discard the changes to both at the end."""
    port = free_port()
    drives = [
        argument
        for name, path in (("a", disk.image), ("b", extra))
        for argument in (
            "-drive",
            f"if=none,id={name},file={path},format=raw,snapshot=on",
            "-device",
            f"virtio-blk-pci,drive={name}",
        )
    ]
    process = subprocess.Popen(
        [
            "qemu-system-aarch64",
            "-M",
            "virt",
            "-cpu",
            PROCESSOR,
            "-smp",
            "2",
            "-m",
            str(MEMORY_MB),
            "-accel",
            "tcg,thread=multi",
            "-kernel",
            str(disk.folder / "vmlinuz"),
            "-initrd",
            str(disk.folder / "initramfs.cpio"),
            "-append",
            KERNEL_LINE,
            *drives,
            "-netdev",
            f"user,id=n,hostfwd=tcp:127.0.0.1:{port}-:22",
            "-device",
            "virtio-net-pci,netdev=n,romfile=",
            "-device",
            "virtio-rng-pci",
            "-display",
            "none",
            "-monitor",
            "none",
            "-serial",
            f"file:{disk.folder / 'console.log'}",
        ],
        stdin=subprocess.DEVNULL,
    )
    try:
        machine = Machine(disk, port)
        took_s = machine.wait("systemctl is-system-running --wait || true", START_S, "ning")
        say(f"machine: started in {took_s:.0f} s")
        yield machine
    finally:
        process.terminate()
        process.wait()
