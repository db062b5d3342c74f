"""Wrapper: runs a command without the matrix units of an x86-64 processor (AMX), on Linux.

    python tools/without_amx.py COMMAND ...

A process may use the tile registers of AMX only with the kernel's permission (arch_prctl(2),
ARCH_REQ_XCOMP_PERM). A filter (seccomp(2)) makes the kernel refuse that permission to the command
and to every process that it starts. XNNPACK then uses its kernels for processors without AMX, and
`birdfield bench` measures what such a machine would do.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

ARCH_PRCTL, REQUEST_PERMISSION = 158, 0x1023  # the system call and its first argument
NUMBER, FIRST_ARGUMENT = 0, 16  # byte offsets in struct seccomp_data
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # instructions of the kernel's packet filters
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
NO_NEW_PRIVILEGES, SET_SECCOMP, FILTER = 38, 22, 2  # of prctl(2)
# Code, instructions to skip when equal and when unequal, operand.
PROGRAM = (
    (LOAD, 0, 0, NUMBER),
    (JUMP_IF_EQUAL, 0, 3, ARCH_PRCTL),
    (LOAD, 0, 0, FIRST_ARGUMENT),
    (JUMP_IF_EQUAL, 0, 1, REQUEST_PERMISSION),
    (RETURN, 0, 0, REFUSE),
    (RETURN, 0, 0, ALLOW),
)


class _Filter(ctypes.Structure):
    """The kernel's struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_void_p))


def refuse_amx() -> None:
    """Make the kernel refuse the matrix units to this process and to every process it starts.

    Raises:
        OSError: When the kernel does not support such filters.
    """
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in PROGRAM)
    held = ctypes.create_string_buffer(program, len(program))
    described = _Filter(len(PROGRAM), ctypes.cast(held, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(
        SET_SECCOMP, FILTER, ctypes.byref(described), 0, 0
    ):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def main(command: list[str]) -> None:
    """Replace this process by the command, without the matrix units."""
    if not command:
        raise SystemExit("without_amx: no command; expected without_amx.py COMMAND ...")
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise SystemExit(
            f"without_amx: this is {platform.system()} on {platform.machine()}; "
            "expected Linux on x86_64, because only x86_64 processors have AMX"
        )
    try:
        refuse_amx()
        os.execvp(command[0], command)
    except OSError as error:
        raise SystemExit(
            f"without_amx: {command[0]} cannot run without AMX ({error.strerror})"
        ) from None


if __name__ == "__main__":
    main(sys.argv[1:])
