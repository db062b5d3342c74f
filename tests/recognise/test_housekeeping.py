from pathlib import Path

import pytest
from fakes import picture, tone

from birdfield.errors import InputError
from birdfield.model.sense import Sense
from birdfield.recognise.dataset import scan_dataset, scan_flat
from birdfield.recognise.housekeeping import is_housekeeping
from birdfield.recognise.identify import list_files

FOLDERS = (
    "@eaDir",
    "#recycle",
    "$RECYCLE.BIN",
    "__MACOSX",
    ".Trash-1000",
    "lost+found",
    ".thumbnails",
)


@pytest.mark.parametrize("name", [*FOLDERS, "Thumbs.db", "._bird.jpg", "desktop.ini"])
def test_what_a_system_keeps_is_housekeeping(name: str) -> None:
    assert is_housekeeping(Path(name)) and is_housekeeping(Path("share", name, "bird.jpg"))


@pytest.mark.parametrize("name", ["Jay", "recycle", "Lost and found", "thumbs.jpg", "#1"])
def test_what_a_person_keeps_is_not(name: str) -> None:
    assert not is_housekeeping(Path(name, "bird.jpg"))


def test_a_share_has_only_its_own_photographs(tmp_path: Path) -> None:
    own = picture(tmp_path / "bird.png", 3)
    for name in FOLDERS:
        (tmp_path / name / "deep").mkdir(parents=True)
        picture(tmp_path / name / "deep" / "deleted.png", 60)
    assert list_files([tmp_path]) == [own]
    own.unlink()
    with pytest.raises(InputError, match="no photograph or recording"):
        list_files([tmp_path])


def test_no_species_is_called_recycle(tmp_path: Path) -> None:
    for name in ("Jay", *FOLDERS):
        for kind in ("images", "audio"):
            (tmp_path / kind / name).mkdir(parents=True)
        picture(tmp_path / "images" / name / "bird.png", 3)
        tone(tmp_path / "audio" / name / "song.wav", 3)
    dataset = scan_dataset(tmp_path / "images", tmp_path / "audio")
    assert dataset.labels == ("Jay",)
    assert (len(dataset.images), len(dataset.audio)) == (1, 1)


def test_a_flat_folder_has_none_either(tmp_path: Path) -> None:
    picture(tmp_path / "wall__1.png", 3)
    picture(tmp_path / "._wall__2.png", 3)
    samples, _ = scan_flat(tmp_path, Sense.IMAGE)
    assert [sample.path.name for sample in samples] == ["wall__1.png"]
