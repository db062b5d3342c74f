import errno
import os
from pathlib import Path

import pytest

from birdfield import atomic
from birdfield.errors import ExistsError, InputError


def test_a_file_is_replaced_and_nothing_else_remains(tmp_path: Path) -> None:
    path = tmp_path / "store"
    atomic.write_file(path, b"first")
    atomic.write_file(path, b"second")
    assert path.read_bytes() == b"second" and path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path) == ["store"]


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full; free some space and try again"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EIO, "cannot be written .Input/output error."),
    ],
)
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, words: str
) -> None:
    path = tmp_path / "store"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(InputError, match=f"store: {words}"):
        atomic.write_file(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["store"]


def test_a_file_in_a_missing_folder_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written .No such file or directory."):
        atomic.write_file(tmp_path / "missing" / "store", b"")


def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store"
    path.write_bytes(b"old")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic.write_file(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["store"]


def test_a_folder_appears_when_it_is_complete(tmp_path: Path) -> None:
    with atomic.new_folder(tmp_path / "deep" / "bundle", force=False) as draft:
        (draft / "part").write_text("1")
        assert not (tmp_path / "deep" / "bundle").exists()
    assert (tmp_path / "deep" / "bundle" / "part").read_text() == "1"
    assert os.listdir(tmp_path / "deep") == ["bundle"]


def test_a_folder_is_replaced_only_by_force(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.mkdir()
    (path / "old").touch()
    with (
        pytest.raises(ExistsError, match="bundle exists already; choose another name$"),
        atomic.new_folder(path, force=False),
    ):
        pytest.fail("the block must not run")
    with atomic.new_folder(path, force=True) as draft:
        (draft / "new").touch()
        assert (path / "old").exists()
    assert os.listdir(path) == ["new"] and os.listdir(tmp_path) == ["bundle"]


def test_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "page").symlink_to("served")
    with atomic.new_folder(tmp_path / "page", force=True) as draft:
        (draft / "new").touch()
    assert (tmp_path / "page").is_symlink() and os.listdir(tmp_path / "served") == ["new"]
    assert sorted(os.listdir(tmp_path)) == ["page", "served"]


def test_a_folder_that_cannot_be_replaced_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux cannot rename a mount point, and a shell would stay in the old working folder."""
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    for path, why in (
        (Path("/proc"), "/proc: birdfield cannot replace a mount point"),
        (Path("."), r"\.: birdfield cannot replace a mount point or the working folder"),
        (tmp_path / "file" / "new", "file/new: cannot be written"),
    ):
        with pytest.raises(InputError, match=why), atomic.new_folder(path, force=True):
            pytest.fail("the block must not run")
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("force", [False, True])
def test_a_file_in_the_way_is_never_replaced(tmp_path: Path, force: bool) -> None:
    path = tmp_path / "bundle"
    path.write_text("old")
    with pytest.raises(InputError, match="bundle"), atomic.new_folder(path, force):
        pass
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["bundle"]


def test_a_failure_leaves_no_folder_and_keeps_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(RuntimeError), atomic.new_folder(path, force=True) as draft:
        (draft / "half").touch()
        raise RuntimeError
    assert os.listdir(path) == ["old"] and os.listdir(tmp_path) == ["bundle"]


def test_a_full_disk_is_reported_in_one_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="bundle: the disk is full"),
        atomic.new_folder(tmp_path / "bundle", force=False),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not os.listdir(tmp_path)
