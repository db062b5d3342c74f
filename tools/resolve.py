"""Dependency check: every one has wheels for each Python and machine: python tools/resolve.py.

Resolves the base install and each extra, except the older runtime, for each supported Python and
machine. Installs nothing; exits with 1 when a set cannot be resolved.
"""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

PYTHONS = ("3.11", "3.12", "3.13")
MACHINES = ("x86_64", "aarch64")
OLDER = "tflite-runtime"  # has no wheel after Python 3.11; see `make test-tflite-runtime`
GLIBC = (
    "manylinux2014",
    "manylinux_2_17",
    "manylinux_2_24",
    "manylinux_2_26",
    "manylinux_2_27",
    "manylinux_2_28",
    "manylinux_2_31",
    "manylinux_2_34",
    "linux",
)


def platform_arguments(machine: str) -> list[str]:
    """Return the options by which pip selects wheels of a machine, and nothing else."""
    platforms = [argument for glibc in GLIBC for argument in ("--platform", f"{glibc}_{machine}")]
    return ["--only-binary=:all:", "--implementation", "cp", *platforms]


def resolve(requirements: list[str], python: str, machine: str) -> str | None:
    """Resolve requirements from wheels only; return pip's error, or None."""
    with tempfile.TemporaryDirectory() as target:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--dry-run",
                "--ignore-installed",
                "--quiet",
                "--python-version",
                python,
                *platform_arguments(machine),
                "--target",
                target,
                *requirements,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    return done.stderr.strip() if done.returncode else None


def main() -> int:
    """Resolve each combination; return the exit code."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    sets = {
        "base": project["dependencies"],
        **{
            extra: project["dependencies"] + project["optional-dependencies"][extra]
            for extra in project["optional-dependencies"]
            if extra != OLDER
        },
    }
    failed = False
    for python in PYTHONS:
        for machine in MACHINES:
            for name, requirements in sets.items():
                error = resolve(requirements, python, machine)
                print(f"{name:7} Python {python} {machine:8} {error or 'resolved'}", flush=True)
                failed = failed or error is not None
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
