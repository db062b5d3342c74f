"""Check that every dependency has wheels for each Python and machine that birdfield names.

python tools/resolve.py: resolves the base install and each extra, but that of the older runtime,
for each of them, without installing anything; exits 1 when one cannot be resolved.
"""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

PYTHONS = ("3.11", "3.12", "3.13")
MACHINES = ("x86_64", "aarch64")
OLDER = "tflite-runtime"  # has no wheel past Python 3.11: `make test-tflite-runtime`
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
    """Tell pip to take wheels of a machine that need not be this one, and nothing else."""
    platforms = [argument for glibc in GLIBC for argument in ("--platform", f"{glibc}_{machine}")]
    return ["--only-binary=:all:", "--implementation", "cp", *platforms]


def resolve(requirements: list[str], python: str, machine: str) -> str | None:
    """Resolve requirements from wheels only; returns what pip complained of, or None."""
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
    """Try each combination; returns the exit code."""
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
                trouble = resolve(requirements, python, machine)
                print(f"{name:7} Python {python} {machine:8} {trouble or 'resolved'}", flush=True)
                failed = failed or trouble is not None
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
