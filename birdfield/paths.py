"""Where things are: the model that is meant, the store beside it, the caches."""

import hashlib
import os
from pathlib import Path

from birdfield.errors import InputError, NoModelError, UsageError

PACKAGE = Path(__file__).parent
PACKAGED_YAMNET = PACKAGE / "weights" / "yamnet.tflite"
PACKAGED_YAMNET_SHA256 = "ca080ca19d409ba470adbef02378d1761d5b65c1beca246f50c52cd909cb14af"
# The same from its spectrogram on, faster and smaller: docs/decisions/0015-yamnet-int8.md.
PACKAGED_YAMNET_INT8 = PACKAGE / "weights" / "yamnet_int8.tflite"
PACKAGED_YAMNET_INT8_SHA256 = "35d58580b7a1e150f657dab4ff33737e917d641f81de0e55e3b88c1cc2eb3d75"
STARTER = PACKAGE / "starter"
BUNDLE_SUFFIX = ".birdfield"
MAX_THREADS = 256  # more end the interpreter


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_sha256(path: Path, expected: str) -> None:
    """Refuse a packaged file whose content is not what it was packaged as.

    Raises:
        InputError: When it is missing or differs.
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
    """Tell how many threads an interpreter gets: BIRDFIELD_THREADS, else a Pi's four cores.

    Raises:
        UsageError: When BIRDFIELD_THREADS is no number from 1 to MAX_THREADS.
    """
    wanted = os.environ.get("BIRDFIELD_THREADS")
    if wanted is None:
        return min(4, os.cpu_count() or 1)
    if not wanted.isdecimal() or len(wanted) > 3 or not 1 <= int(wanted) <= MAX_THREADS:
        raise UsageError(
            f"BIRDFIELD_THREADS is {wanted[:40]!r}; expected a number from 1 to {MAX_THREADS}"
        )
    return int(wanted)


def resolve_model(given: Path | None) -> Path:
    """Find the model: --model, else BIRDFIELD_MODEL, else the packaged starter.

    The name "starter" is the packaged one too, where no such folder is here.

    Raises:
        NoModelError: When there is none.
    """
    packaged = (STARTER / "manifest.json").is_file()
    if packaged and given == Path(STARTER.name) and not given.exists():
        return STARTER
    if given is not None:
        return given
    if os.environ.get("BIRDFIELD_MODEL"):
        return Path(os.environ["BIRDFIELD_MODEL"])
    if packaged:
        return STARTER
    raise NoModelError(
        "no model: name a bundle, or set the environment variable BIRDFIELD_MODEL to one, "
        "or install a birdfield package that includes the starter model"
    )


def data_home() -> Path:
    """Return birdfield's folder under XDG_DATA_HOME."""
    return xdg_folder("XDG_DATA_HOME", ".local/share")


def cache_home() -> Path:
    """Return birdfield's folder under XDG_CACHE_HOME."""
    return xdg_folder("XDG_CACHE_HOME", ".cache")


def xdg_folder(variable: str, below: str) -> Path:
    """Return birdfield's folder under that of an environment variable, else below the user's home.

    Raises:
        UsageError: When the user has none, as in a container that runs as a number.
    """
    given = os.environ.get(variable)
    if given:
        return Path(given) / "birdfield"
    try:
        return Path.home() / below / "birdfield"
    except RuntimeError as error:
        raise UsageError(f"this user has no home folder; set HOME, or {variable}") from error
