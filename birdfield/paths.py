"""Paths: finds the model, packaged files, and birdfield's folders."""

import hashlib
import os
from pathlib import Path

from birdfield.errors import InputError, NoModelError, UsageError

PACKAGE = Path(__file__).parent
PACKAGED_YAMNET = PACKAGE / "weights" / "yamnet.tflite"
PACKAGED_YAMNET_SHA256 = "ca080ca19d409ba470adbef02378d1761d5b65c1beca246f50c52cd909cb14af"
# YAMNet without its spectrogram, with int8 weights: docs/decisions/0015-yamnet-int8.md.
PACKAGED_YAMNET_INT8 = PACKAGE / "weights" / "yamnet_int8.tflite"
PACKAGED_YAMNET_INT8_SHA256 = "35d58580b7a1e150f657dab4ff33737e917d641f81de0e55e3b88c1cc2eb3d75"
STARTER = PACKAGE / "starter"
BUNDLE_SUFFIX = ".birdfield"
MAX_THREADS = 256  # with more, an interpreter ends the process
DEFAULT_THREADS = 4  # the cores of a Raspberry Pi


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_sha256(path: Path, expected: str) -> None:
    """Check that a packaged file is unchanged.

    Raises:
        InputError: When it is missing or its SHA-256 is not the expected one.
    """
    try:
        found = file_sha256(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); install birdfield again"
        ) from error
    if found != expected:
        raise InputError(
            f"{path}: SHA-256 is {found[:12]}..., expected {expected[:12]}...; "
            "install birdfield again"
        )


def thread_count() -> int:
    """Return the threads of an interpreter: BIRDFIELD_THREADS, else one a core, at most 4.

    Raises:
        UsageError: When BIRDFIELD_THREADS is not a number from 1 to MAX_THREADS.
    """
    text = os.environ.get("BIRDFIELD_THREADS")
    if text is None:
        return min(DEFAULT_THREADS, os.cpu_count() or 1)
    if not text.isdecimal() or len(text) > 3 or not 1 <= int(text) <= MAX_THREADS:
        raise UsageError(
            f"BIRDFIELD_THREADS is {text[:40]!r}; expected a number from 1 to {MAX_THREADS}"
        )
    return int(text)


def resolve_model(path: Path | None) -> Path:
    """Return the model to use: a path, else BIRDFIELD_MODEL, else the packaged starter model.

    Args:
        path: The path that the user named. "starter" is the packaged starter model, unless such a
            folder exists here.

    Raises:
        NoModelError: When there is none of the three.
    """
    packaged = (STARTER / "manifest.json").is_file()
    if packaged and path == Path(STARTER.name) and not path.exists():
        return STARTER
    if path is not None:
        return path
    if os.environ.get("BIRDFIELD_MODEL"):
        return Path(os.environ["BIRDFIELD_MODEL"])
    if packaged:
        return STARTER
    raise NoModelError(
        "no model: name a bundle, or set the environment variable BIRDFIELD_MODEL to one, "
        "or install a birdfield package that includes the starter model"
    )


def data_home() -> Path:
    """Return birdfield's folder for data, under XDG_DATA_HOME."""
    return xdg_folder("XDG_DATA_HOME", ".local/share")


def cache_home() -> Path:
    """Return birdfield's folder for caches, under XDG_CACHE_HOME."""
    return xdg_folder("XDG_CACHE_HOME", ".cache")


def xdg_folder(variable: str, default: str) -> Path:
    """Return birdfield's folder of an XDG base directory.

    Args:
        variable: The environment variable that names the base directory.
        default: The base directory without the variable, relative to the user's home folder.

    Raises:
        UsageError: When the user has no home folder, as a container's numeric user.
    """
    base = os.environ.get(variable)
    if base:
        return Path(base) / "birdfield"
    try:
        return Path.home() / default / "birdfield"
    except RuntimeError as error:
        raise UsageError(f"this user has no home folder; set HOME, or {variable}") from error
