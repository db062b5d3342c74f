"""Run folder: builds a run under a temporary name, locked, resumable, and renamed when complete."""

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from birdfield import atomic
from birdfield.errors import BirdfieldError, ExistsError, InputError
from birdfield_train.manifest import RUN_FILE

PARTIAL = ".partial"  # suffix of a run's folder until the run is complete
CHECKPOINTS = "checkpoints"
OPTIONS_FILE = "config.json"
DIGEST_FILE = "data.sha256"
LOCK = "lock"


class RunConflict(InputError):
    """An interrupted run that cannot be continued as requested.

    Attributes:
        remedies: The arguments of `pipeline.train` that help: "resume", "force", or both.
    """

    def __init__(self, message: str, *remedies: str) -> None:
        """Describe the conflict in one sentence."""
        super().__init__(message)
        self.remedies = remedies


def partial_path(run: Path) -> Path:
    """Return the folder in which a run is built."""
    return run.with_name(run.name + PARTIAL)


def is_complete(run: Path, resume: bool, force: bool) -> bool:
    """Return whether a run to be resumed is complete already.

    Raises:
        InputError: When the run cannot be created here.
        ExistsError: When the run exists and force is False.
    """
    if not run.name:
        raise InputError(
            f"{run}: the working folder cannot become a run; choose a name inside the folder"
        )
    if run.exists() and not force:
        if not (resume and (run / RUN_FILE).exists()):
            raise ExistsError(f"{run} exists already; choose another name")
        partial = partial_path(run)
        if partial.exists():
            raise InputError(
                f"{run} is complete, and {partial} belongs to an interrupted run that was to "
                f"replace it; move {run} away to resume that run, or remove {partial}"
            )
        return True
    _require_replaceable(run)
    return False


def _require_replaceable(run: Path) -> None:
    """Check that only a run or an empty folder will be replaced."""
    replaceable = run.is_dir() and ((run / RUN_FILE).is_file() or not any(run.iterdir()))
    if run.exists() and not replaceable:
        raise InputError(
            f"{run} exists already and is not a run, so it is never replaced; choose another name"
        )


@contextmanager
def partial_run(
    run: Path, options: Mapping[str, object], resume: bool, force: bool
) -> Iterator[Path]:
    """Hold the folder in which a run is built, and rename it to the run when the block succeeds.

    Args:
        run: The folder that the complete run replaces.
        options: JSON values that must equal those of the interrupted run.
        resume: Whether to continue an interrupted run.
        force: Whether to discard an interrupted run.

    Yields:
        The folder to write to.

    Raises:
        RunConflict: When an interrupted run exists and cannot be continued.
        InputError: When another process builds this run, or the disk refuses a file.
    """
    folder = partial_path(run)
    try:
        interrupted = folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK).open("a") as lock:
            _acquire(lock, folder)
            _clear(folder, ".*", "*" if force else ".*")
            if interrupted and not resume and not force:
                raise RunConflict(
                    f"{folder} belongs to an interrupted run; resume the run or start again",
                    "resume",
                    "force",
                )
            _pin_options(folder, options)
            try:
                yield folder
            except BirdfieldError:
                if not (folder / CHECKPOINTS).exists():  # there is nothing to resume
                    shutil.rmtree(folder, ignore_errors=True)
                raise
            _clear(folder, ".*", CHECKPOINTS, OPTIONS_FILE)
            (folder / LOCK).unlink()
            _replace(folder, run)
    except OSError as error:
        raise atomic.to_input_error(folder, error) from error


def _acquire(lock: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(
            f"{folder}: another process is training this run; wait for it or choose another name"
        ) from error


def _pin_options(folder: Path, options: Mapping[str, object]) -> None:
    path = folder / OPTIONS_FILE
    if not _pin(path, json.dumps(options, indent=1).encode()):
        raise RunConflict(
            f"{folder} was started with other options; use the same options or start again",
            "force",
        )


def pin_data(folder: Path, digest: str) -> Path:
    """Create a run's folder of checkpoints for data with this digest.

    Returns:
        The folder of checkpoints.

    Raises:
        RunConflict: When the checkpoints were made from other data or with other weights.
    """
    checkpoints = folder / CHECKPOINTS
    checkpoints.mkdir(exist_ok=True)
    if not _pin(checkpoints / DIGEST_FILE, digest.encode()):
        raise RunConflict(
            f"{folder}: the data or the weights changed after this run was started; start again",
            "force",
        )
    return checkpoints


def _pin(path: Path, content: bytes) -> bool:
    """Write a file unless it exists with other content; return whether the content is there."""
    if path.exists() and path.read_bytes() != content:
        return False
    atomic.write_file(path, content)
    return True


def _clear(folder: Path, *patterns: str) -> None:
    """Remove the paths that match a pattern, but never the lock."""
    for path in {found for pattern in patterns for found in folder.glob(pattern)}:
        if path.name != LOCK:
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _replace(folder: Path, run: Path) -> None:
    """Rename a folder to the run; keep an old run complete until the new one has its name."""
    old = run.with_name(f".{run.name}.old")
    if run.is_dir():
        shutil.rmtree(old, ignore_errors=True)  # a killed process may have left it
        run.rename(old)
    folder.rename(run)
    shutil.rmtree(old, ignore_errors=True)
