"""Store file: finds, reads and replaces the store of a bundle."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from birdfield import atomic, paths
from birdfield.errors import InputError
from birdfield.model.bundle import Bundle
from birdfield.model.gallery import Gallery
from birdfield.model.species import fold
from birdfield.model.store import Store, parse_store, respelled

FILE = "species.store"
STARTER_FOLDER = "starter-{}"  # folder of a starter's store in the user's data, by the model's id
MAX_STORE = 600_000_000  # bytes


class StoreEditor:
    """An open store. To change it, assign another one to `store`.

    Attributes:
        store: The store as it will be written.
    """

    def __init__(self, store: Store) -> None:
        """Open a store."""
        self.store = store


def store_path(bundle: Bundle) -> Path:
    """Return where the store of a bundle is, or where a new one will be.

    It is beside the bundle, or in the user's data folder where that place is read-only. That of
    the packaged starter is always in the user's data folder, since an upgrade of the package
    replaces everything beside the starter.
    """
    if bundle.store is not None:
        return bundle.store
    folder = bundle.folder.resolve()
    if folder == paths.STARTER.resolve():
        return user_store_path(STARTER_FOLDER.format(bundle.model_id))
    beside = folder.with_name(f"{folder.name}.store") / FILE
    elsewhere = user_store_path(bundle.model_id)
    if beside.exists():
        return beside
    return beside if not elsewhere.exists() and os.access(folder.parent, os.W_OK) else elsewhere


def user_store_path(name: str) -> Path:
    """Return where the user's data folder has the store called `name`."""
    return _stores_folder() / name / FILE


def _stores_folder() -> Path:
    return paths.data_home() / "stores"


def load_store(bundle: Bundle) -> Store:
    """Read the store of a bundle; an empty one where there is no file.

    Raises:
        InputError: When it is damaged, or holds vectors of another model.
    """
    path = store_path(bundle)
    try:
        size = path.stat().st_size
        if size > MAX_STORE:
            raise InputError(f"{path}: {size:,} bytes; expected a store of at most {MAX_STORE:,}")
        store = parse_store(path.read_bytes(), str(path))
    except FileNotFoundError:
        return Store(bundle.model_id)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if store.model != bundle.model_id:
        raise InputError(
            f"{path}: holds vectors of model {store.model}, but the bundle is model "
            f"{bundle.model_id}; move the store away and enrol its species again"
        )
    return respelled(store, bundle.factory_gallery().labels)


@contextmanager
def edit_store(bundle: Bundle) -> Iterator[StoreEditor]:
    """Open the store of a bundle under a lock, and write it at the end when it has changed.

    Raises:
        InputError: When the store cannot be read or written.
    """
    path = store_path(bundle)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = (path.parent / "lock").open("w")
    except OSError as error:
        raise atomic.to_input_error(path, error) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = load_store(bundle)
        editor = StoreEditor(before)
        yield editor
        if editor.store is not before:
            atomic.write_file(path, editor.store.dump())


def stale_stores(bundle: Bundle, gallery: Gallery) -> list[str]:
    """Describe the stores of earlier starters with species that the packaged one does not have.

    An upgrade of the package may bring another starter, which cannot use vectors of the last one.

    Returns:
        A sentence for each such store; none when the bundle is not the packaged starter.
    """
    if bundle.folder.resolve() != paths.STARTER.resolve():
        return []
    labels = {fold(label) for label in gallery.labels}
    stores = set(_stores_folder().glob(STARTER_FOLDER.format("*") + f"/{FILE}"))
    lost = {path: _missing(path, labels) for path in sorted(stores - {store_path(bundle)})}
    return [
        f"{path}: {', '.join(missing)} was enrolled with the starter of an earlier package, and "
        f"is missing in this one; enrol it again, or remove {path.parent}"
        for path, missing in lost.items()
        if missing
    ]


def _missing(path: Path, labels: set[str]) -> list[str]:
    try:
        enrolled = parse_store(path.read_bytes(), str(path)).enrolled
    except (InputError, OSError):
        return []
    return [label for label in enrolled if fold(label) not in labels]
