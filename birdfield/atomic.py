"""Atomic writes: files and folders that appear under their name only when they are complete."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from birdfield.errors import ExistsError, InputError


def write_file(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace a file: write a temporary file beside it, fsync, rename, and fsync the folder.

    Args:
        path: The file.
        data: Its new content.
        mode: Its permissions.

    Raises:
        InputError: When the file cannot be written; the old file is then unchanged.
    """
    with writing_file(path, mode) as stream:
        stream.write(data)


@contextmanager
def writing_file(path: Path, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Replace a file by what the block writes, piece by piece, as `write_file` does.

    An error in the block leaves the old file as it is.

    Args:
        path: The file.
        mode: Its permissions.

    Yields:
        The stream of the new content.

    Raises:
        InputError: When the file cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(name, mode)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise to_input_error(path, error) from error


def check_writable(path: Path) -> None:
    """Check that `write_file` can write a file, before the work that produces its content.

    Raises:
        InputError: When the path is a folder, or its parent folder is missing or not writable.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise to_input_error(path, error) from error


def to_input_error(path: Path, error: OSError) -> InputError:
    """Return an error that explains in one sentence why a path could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InputError(f"{path}: the disk is full; free some space and try again")
    return InputError(f"{path}: cannot be written ({error.strerror or error})")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_folder_writable(path: Path) -> None:
    """Check that `new_folder` can create a folder, before the work that fills it.

    Raises:
        InputError: When the path is a mount point or the working folder, which cannot be replaced,
            or the folder above it is not writable.
    """
    real_path = Path(os.path.realpath(path))
    if real_path.is_mount() or real_path == Path.cwd():
        raise InputError(
            f"{path}: birdfield cannot replace a mount point or the working folder; "
            "name a folder inside it"
        )
    try:
        above = next(folder for folder in real_path.parents if folder.exists())
        with tempfile.TemporaryDirectory(dir=above):
            pass
    except OSError as error:
        raise to_input_error(path, error) from error


@contextmanager
def new_folder(path: Path, force: bool) -> Iterator[Path]:
    """Fill a temporary folder, and rename it to a path when the block ends without an error.

    Args:
        path: The folder to create; a symbolic link is followed.
        force: Whether to replace an existing folder.

    Yields:
        The temporary folder.

    Raises:
        ExistsError: When the path exists and force is False.
        InputError: When the folder cannot be written.
    """
    if path.exists() and not force:
        raise ExistsError(f"{path} exists already; choose another name")
    check_folder_writable(path)
    real_path = Path(os.path.realpath(path))
    draft: Path | None = None
    try:
        real_path.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=real_path.parent, prefix=f".{real_path.name}."))
        yield draft
        draft.chmod(0o755)
        _move_folder(draft, real_path)
        _sync_folder(real_path.parent)
    except OSError as error:
        raise to_input_error(path, error) from error
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)


def _move_folder(source: Path, target: Path) -> None:
    """Rename a folder; delete the folder that it replaces."""
    if not target.is_dir():
        os.replace(source, target)
        return
    old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.old."))
    os.replace(target, old)
    os.replace(source, target)
    shutil.rmtree(old, ignore_errors=True)
