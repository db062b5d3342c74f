"""Installation: puts the wheel and its dependencies into the arm64 roots."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

from roots import CHECKOUT, EXCHANGE, Root, arm64_folder, run_in_root, say

from birdfield import __version__

sys.path.append(str(CHECKOUT / "tools"))
from resolve import platform_arguments  # noqa: E402

from birdfield.errors import InputError
from birdfield.model.bundle import load_bundle
from birdfield_train.toy_aviary import write_dataset

SEED = 7  # other individuals than those of the toy bundle, which has seed 0
BIRDS = 2  # a picture and a sound each; an emulated VGG16 takes half a minute for a picture
WHEEL = f"birdfield-{__version__}-py3-none-any.whl"
TOY = "toy.birdfield"


def fill_exchange(exchange: Path) -> list[str]:
    """Fill the folder that the roots share; return the names of the files to identify."""
    write_dataset(exchange / "toy", SEED, photographs=1, recordings=1)
    shutil.copy(CHECKOUT / "tools" / "arm64" / "answers.py", exchange)
    shutil.copy(CHECKOUT / "dist" / WHEEL, exchange)
    shutil.rmtree(exchange / TOY, ignore_errors=True)
    shutil.copytree(toy_bundle(), exchange / TOY)
    found = (sorted((exchange / "toy").rglob(name))[:BIRDS] for name in ("*.jpg", "*__0.wav"))
    return [str(path.relative_to(exchange)) for paths in found for path in paths]


def toy_bundle() -> Path:
    """Return the bundle of BIRDFIELD_TOY_BUNDLE, or of an earlier run, or a new one."""
    if "BIRDFIELD_TOY_BUNDLE" in os.environ:
        return Path(os.environ["BIRDFIELD_TOY_BUNDLE"]).resolve()
    bundle = arm64_folder() / TOY
    try:
        load_bundle(bundle)
    except InputError:  # it is missing, or of an earlier version
        say("toy bundle: making it by tools/toy_bundle.py; this takes minutes")
        subprocess.run([sys.executable, CHECKOUT / "tools" / "toy_bundle.py", bundle], check=True)
    return bundle


def download_wheels(root: Root, runtime: str, folder: Path) -> None:
    """Download every wheel that a root's Python needs.

    Raises:
        SystemExit: When pip cannot download one.
    """
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    # pip would evaluate a marker for this machine's Python, not for the root's.
    extra = [
        requirement.partition(";")[0]
        for requirement in project["optional-dependencies"]["tflite-runtime"]
        if runtime == "tflite-runtime"
    ]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--dest",
            folder,
            "--python-version",
            root.python,
            *platform_arguments("aarch64"),
            *project["dependencies"],
            *extra,
        ],
        check=False,
    )
    if done.returncode:
        raise SystemExit(
            f"make arm64: pip could not download the wheels for Python {root.python}; "
            "its output is above"
        )


def install(root: Root, folder: Path, runtime: str, exchange: Path) -> str:
    """Install the wheel in a virtual environment of the root; return its bin folder there."""
    environment = f"/opt/{runtime}"
    extra = "[tflite-runtime]" if runtime == "tflite-runtime" else ""
    used_again = (folder / environment[1:] / "bin" / "birdfield").exists()
    if not used_again:
        run_in_root(
            folder, exchange, ["python3", "-m", "venv", "--without-pip", "--clear", environment]
        )
    say(f"{root.name}: pip install {WHEEL}{extra}")
    pip(folder, exchange, environment, f"{EXCHANGE}/{WHEEL}{extra}")
    if used_again:  # pip keeps an earlier build of the same version
        pip(folder, exchange, environment, "--force-reinstall", "--no-deps", f"{EXCHANGE}/{WHEEL}")
    return f"{environment}/bin"


def pip(folder: Path, exchange: Path, environment: str, *arguments: str) -> None:
    """Run pip install in a root; unpack its pip here, which in the emulator takes minutes."""
    place = folder / "opt" / "pip"
    if not place.exists():
        (wheel,) = (folder / "usr" / "share" / "python-wheels").glob("pip-*.whl")
        zipfile.ZipFile(wheel).extractall(place)
    run_in_root(
        folder,
        exchange,
        [
            f"{environment}/bin/python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-index",
            "--no-compile",
            "--disable-pip-version-check",
            "--root-user-action=ignore",
            f"--find-links={EXCHANGE}/wheels",
            *arguments,
        ],
        {"PYTHONPATH": "/opt/pip"},
    )
