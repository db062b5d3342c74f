"""Files and folders that appear under their name only when they are whole."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from birdfield.errors import ExistsError, InputError


def write_file(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace a file: write beside it, fsync, rename, fsync the folder.

    Args:
        path: The file.
        data: Its new content.
        mode: Who may read it.

    Raises:
        InputError: When it cannot be written; the old file is then as it was.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
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
    """Check, before the work, that a file can be written by `write_file`.

    Raises:
        InputError: When its folder is missing or takes no file, or it is a folder itself.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise to_input_error(path, error) from error


def to_input_error(path: Path, error: OSError) -> InputError:
    """Say in a sentence why something could not be written."""
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
    """Check, before the work, that `new_folder` can give a folder its name.

    Raises:
        InputError: When what it would be in takes no folder, or it is one that cannot be replaced:
            where a disk is mounted, or the working folder.
    """
    place = Path(os.path.realpath(path))
    if place.is_mount() or place == Path.cwd():
        raise InputError(
            f"{path}: a folder that is mounted or worked in cannot be replaced; name one inside it"
        )
    try:
        above = next(folder for folder in place.parents if folder.exists())
        with tempfile.TemporaryDirectory(dir=above):
            pass
    except OSError as error:
        raise to_input_error(path, error) from error


@contextmanager
def new_folder(path: Path, force: bool) -> Iterator[Path]:
    """Build a folder under another name; it takes its own when the block ends well.

    Args:
        path: The folder to make; of a link, what it leads to.
        force: Whether an existing one is replaced.

    Raises:
        InputError: When it exists and force is not given, or the disk does not take it.
    """
    if path.exists() and not force:
        raise ExistsError(f"{path} exists already; choose another name")
    check_folder_writable(path)
    place = Path(os.path.realpath(path))
    draft: Path | None = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
        yield draft
        draft.chmod(0o755)
        if place.is_dir():
            old = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}.old."))
            os.replace(place, old)
            os.replace(draft, place)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(draft, place)
        _sync_folder(place.parent)
    except OSError as error:
        raise to_input_error(path, error) from error
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)
